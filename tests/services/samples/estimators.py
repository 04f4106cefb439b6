"""Train every estimator of scikit-learn that trains on toy data, and write it in every way."""

# ruff: noqa: PLC0415 - each estimator is imported where it is made

from __future__ import annotations

import gzip
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

RANDOM = np.random.default_rng(0)
X = np.abs(RANDOM.normal(size=(60, 5)))
Y = (X[:, 0] > X[:, 1]).astype(int)
TWO = np.stack([Y, 1 - Y], axis=1)
PLAINLY = (X, Y)
TEXT = ["a model", "is weighed", "before it enters", "the house"] * 15
DICTS = [{"a": 1.0, "b": float(i)} for i in range(60)]


def attempts() -> Iterator[tuple[Any, Any]]:
    """What an estimator may want to be fitted on; the first that it takes is used."""
    yield X, Y
    yield PLAINLY
    yield X, X[:, 0]
    yield X, TWO
    yield TEXT, Y
    yield DICTS, Y
    yield X[:, 0], Y
    yield np.round(X).astype(int), Y


def make(kind: Any, *, quick: bool) -> Any:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    special: dict[str, Callable[[], Any]] = {
        "ColumnTransformer": lambda: kind([("a", StandardScaler(), [0, 1])]),
        "FeatureUnion": lambda: kind([("a", StandardScaler()), ("b", StandardScaler())]),
        "Pipeline": lambda: kind([("a", StandardScaler()), ("b", SVC())]),
        "VotingClassifier": lambda: kind([("a", SVC()), ("b", LogisticRegression())]),
        "StackingClassifier": lambda: kind([("a", SVC()), ("b", LogisticRegression())]),
        "VotingRegressor": lambda: kind([("a", Ridge())]),
        "StackingRegressor": lambda: kind([("a", Ridge())]),
        "GridSearchCV": lambda: kind(SVC(), {"C": [0.1, 1.0]}, cv=2),
        "RandomizedSearchCV": lambda: kind(SVC(), {"C": [0.1, 1.0]}, cv=2, n_iter=1),
        "SparseCoder": lambda: kind(X[:5]),
        "DictVectorizer": DictVectorizer,
        "FrozenEstimator": lambda: kind(Ridge().fit(X, Y)),
        "SelfTrainingClassifier": lambda: kind(LogisticRegression()),
        "SelectFromModel": lambda: kind(DecisionTreeClassifier()),
        "OneVsOneClassifier": lambda: kind(SVC()),
        "HalvingGridSearchCV": lambda: kind(SVC(), {"C": [0.1, 1.0]}, cv=2),
        "HalvingRandomSearchCV": lambda: kind(SVC(), {"C": [0.1, 1.0]}, cv=2),
    }
    if kind.__name__ in special:
        return special[kind.__name__]()
    try:
        return tune(kind()) if quick else kind()
    except TypeError:
        try:
            return kind(LogisticRegression())
        except TypeError:
            return kind(estimator=Ridge())


def tune(model: Any) -> Any:
    """What makes fitting quick, or possible with few features."""
    wanted = {"n_estimators": 5, "max_iter": 20, "n_jobs": 1, "n_components": 2, "random_state": 0}
    has = model.get_params()
    return model.set_params(**{key: value for key, value in wanted.items() if key in has})


def fit(kind: Any) -> Any | None:
    for arguments in (*attempts(), (Y,), (TWO.tolist(),), (X[:5, :5],)):
        quick = arguments is not PLAINLY
        try:
            return make(kind, quick=quick).fit(*arguments)
        except Exception:  # noqa: BLE001 - each wants something else
            continue
    return None


def write_all(target: Path) -> None:
    from sklearn.utils import all_estimators

    folder = target / "trained-sklearn"
    folder.mkdir(parents=True)
    left_out = []
    for number, (name, kind) in enumerate(all_estimators()):
        model = fit(kind)
        if model is None:
            left_out.append(name)
            continue
        # Three ways each, in turn: names and shapes differ by estimator, layouts by way.
        for way in (WAYS * 2)[number % len(WAYS) :: 3][:3]:
            way(model, folder / name)
    if left_out:
        sys.stderr.write(f"not trained: {', '.join(left_out)}\n")
    write_layouts(target / "trained-joblib")


def dump(protocol: int) -> Callable[[Any, Path], None]:
    def write(model: Any, path: Path) -> None:
        path.with_name(f"{path.name}-{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))

    return write


def dump_joblib(compress: Any, suffix: str) -> Callable[[Any, Path], None]:
    def write(model: Any, path: Path) -> None:
        joblib.dump(model, path.with_name(path.name + suffix), compress=compress)

    return write


def dump_gzip(model: Any, path: Path) -> None:
    with gzip.open(path.with_name(path.name + ".pickle.gz"), "wb") as stream:
        pickle.dump(model, stream)


def dump_python(model: Any, path: Path) -> None:
    """As the pickler in Python writes it: without what only the one in C does."""
    with path.with_name(path.name + "-python.pkl").open("wb") as stream:
        pickle._Pickler(stream, 4).dump(model)  # type: ignore[attr-defined]


WAYS = (
    *(dump(protocol) for protocol in range(6)),
    dump_joblib(0, ".joblib"),
    dump_joblib(3, ".joblib.z"),
    dump_gzip,
    dump_python,
)


def write_layouts(folder: Path) -> None:
    """Objects with arrays, in every compression and protocol of joblib."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folder.mkdir(parents=True)
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(X, Y)
    values: dict[str, Any] = {
        "forest": forest,
        "arrays": {"c": X, "fortran": np.asfortranarray(X), "empty": X[:0], "scalar": X[0, 0]},
        "mixed": [X, {"object": np.array([None, "a", 1], object)}, np.matrix(X[:2])],
        "dates": np.array(["2026-01-01"], "datetime64[D]"),
        "record": np.zeros(3, [("a", "<i4"), ("b", "U5")]),
        "big-endian": X.astype(">f8"),
    }
    for name, value in values.items():
        for compress in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4"):
            joblib.dump(value, folder / f"{name}.{compress}.joblib", compress=(compress, 3))
        for protocol in (2, 3, 4, 5):
            joblib.dump(value, folder / f"{name}-{protocol}.joblib", protocol=protocol)


def main() -> None:
    warnings.simplefilter("ignore")
    write_all(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
