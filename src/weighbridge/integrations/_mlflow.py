"""stub."""

MLFLOW_BUILDER = "https://weighbridge.dev/builders/import-mlflow/v1"


class MlflowImport:
    pass


def import_mlflow():
    pass
