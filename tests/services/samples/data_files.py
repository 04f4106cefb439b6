"""Write small files in the formats of the libraries that the tests have anyway."""

# ruff: noqa: PLC0415 - each library is imported where it writes

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import json
import pathlib
import pickle
import sys
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def write_numpy(folder: Path) -> None:
    np.savez(folder / "arrays.npz", x=X, y=Y)
    np.savez_compressed(folder / "compressed.npz", x=X, y=Y)
    np.savez(folder / "objects.npz", names=np.array(["a", None, {"b": 1}], object))
    for kind in ("f2", ">f4", "f8", "c16", "?", "u1", "i8", "S3", "U4", "datetime64[ns]"):
        np.save(folder / f"{kind.strip('>[]')}.npy", np.zeros((2, 3), kind))
    np.save(folder / "fortran.npy", np.asfortranarray(X))
    np.save(folder / "record.npy", np.zeros(2, [("a", "<i4"), ("b", "<f8", (2,))]))
    np.save(folder / "object.npy", np.array([1, "a", None, X[0]], object))
    np.savetxt(folder / "table.csv", X, delimiter=",")
    for protocol in range(6):
        values = {"a": X, "b": X[0, 0], "c": np.dtype("f4"), "d": RANDOM, "e": np.ma.array(X)}
        (folder / f"mixed-{protocol}.pkl").write_bytes(pickle.dumps(values, protocol))
        (folder / f"order-{protocol}.pkl").write_bytes(
            pickle.dumps([np.asfortranarray(X), np.matrix(X), np.arange(3)[::2]], protocol)
        )


def write_standard(folder: Path) -> None:
    values: dict[str, Any] = {
        "nested": {"a": [1, 2.5, None, True, "ü", b"x", (1,), {2}, frozenset({3}), 1j, 1 << 80]},
        "collections": [
            collections.OrderedDict(a=1),
            collections.Counter("abca"),
            collections.defaultdict(list, a=[1]),
            collections.deque([1, 2], 5),
        ],
        "times": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.timedelta(1)],
        "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3)],
        "others": [pathlib.PurePosixPath("a/b"), uuid.UUID(int=1), range(3), slice(1, 2)],
    }
    for name, value in values.items():
        for protocol in range(6):
            (folder / f"{name}-{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))


def write_pandas(folder: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "b": Y, "c": list("abcd") * 10})
    frame["when"] = pd.date_range("2026-01-01", periods=40, tz="UTC")
    frame["kind"] = frame["c"].astype("category")
    frame["maybe"] = pd.array([1, None] * 20, dtype="Int64")
    for protocol in range(2, 6):
        frame.to_pickle(folder / f"frame-{protocol}.pkl", protocol=protocol)
    frame["b"].to_pickle(folder / "series.pkl")
    frame.index.to_frame().to_pickle(folder / "index.pkl")
    frame.groupby(["b", "c"])["a"].mean().to_pickle(folder / "levels.pkl")
    for suffix in ("gz", "bz2", "xz", "zip", "tar"):
        frame.to_pickle(folder / f"frame.pkl.{suffix}")
    frame.to_csv(folder / "frame.csv")
    frame.to_json(folder / "frame.json")
    frame.to_parquet(folder / "frame.parquet")
    frame.to_feather(folder / "frame.feather")
    frame[["a", "b"]].to_orc(folder / "frame.orc")


def write_tables(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"x": X[:, 0], "names": ["a", "b"] * 20})
    for compression in ("none", "snappy", "gzip", "zstd", "brotli"):
        pq.write_table(table, folder / f"{compression}.parquet", compression=compression)
    sink = str(folder / "stream.arrow")
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    sink = str(folder / "file.arrow")
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def write_trees(folder: Path) -> None:
    import lightgbm
    import xgboost
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    booster = xgboost.train({"max_depth": 2, "nthread": 1}, xgboost.DMatrix(X, Y), 3)
    for suffix in ("json", "ubj"):
        booster.save_model(folder / f"booster.{suffix}")
    booster.dump_model(folder / "dump.txt")
    pickles: dict[str, Any] = {
        "xgb-booster": booster,
        "xgb-classifier": xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, Y),
        "xgb-regressor": xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, Y),
    }
    data = lightgbm.Dataset(X, Y, params={"verbose": -1})
    trees = lightgbm.train({"verbose": -1, "num_threads": 1}, data, 3)
    trees.save_model(folder / "lightgbm.txt")
    (folder / "lightgbm.json").write_text(json.dumps(trees.dump_model()))
    kinds = {"lgbm-classifier": lightgbm.LGBMClassifier, "lgbm-regressor": lightgbm.LGBMRegressor}
    pickles["lgbm-booster"] = trees
    for name, kind in kinds.items():
        pickles[name] = kind(n_estimators=3, n_jobs=1, verbose=-1).fit(X, Y)
    pickles["pipeline"] = make_pipeline(
        StandardScaler(), xgboost.XGBClassifier(n_estimators=3, n_jobs=1)
    ).fit(X, Y)
    import joblib

    for name, model in pickles.items():
        for protocol in (2, 4, 5):
            (folder / f"{name}-{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
        joblib.dump(model, folder / f"{name}.joblib", compress=3)


def write_headers(folder: Path) -> None:
    import gguf
    from safetensors.numpy import save_file

    tensors = {"w": X, "b": X[0], "half": X.astype(np.float16), "empty": X[:0]}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "np"})
    save_file({}, folder / "none.safetensors")
    writer = gguf.GGUFWriter(str(folder / "model.gguf"), "llama")
    writer.add_context_length(128)
    writer.add_block_count(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b", "</s>"])
    writer.add_chat_template(CHAT_TEMPLATE)
    writer.add_tensor("token_embd.weight", X)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def write_configs(folder: Path) -> None:
    """What lies beside the weights in a repository of a model."""
    from safetensors.numpy import save_file

    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": 4,
        "torch_dtype": "float32",
        "transformers_version": "5.0.0",
    }
    documents: dict[str, Any] = {
        "config.json": config,
        "generation_config.json": {"eos_token_id": 2, "do_sample": True, "temperature": 0.6},
        "tokenizer_config.json": {
            "chat_template": CHAT_TEMPLATE,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "special_tokens_map.json": {"eos_token": {"content": "</s>", "special": True}},
        "preprocessor_config.json": {"image_processor_type": "ViTImageProcessor", "size": 224},
        "model.safetensors.index.json": {
            "metadata": {"total_size": 640},
            "weight_map": {"w": "model.safetensors"},
        },
        "trainer_state.json": {"epoch": 1.0, "log_history": [{"loss": 0.5, "step": 1}]},
        "adapter_config.json": {"peft_type": "LORA", "r": 8, "target_modules": ["q", "v"]},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
        ],
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=2))
    save_file({"w": X}, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\nthe\n##s\n")
    (folder / "merges.txt").write_text("#version: 0.2\nt h\nth e\n")
    (folder / "README.md").write_text(
        "---\nlicense: mit\n---\n# A model\n\n```python\nx = 1\n```\n"
    )
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")


def write_onnx(folder: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    weight = numpy_helper.from_array(X, "w")
    node = helper.make_node("MatMul", ["w", "x"], ["y"])
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, "n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [40, "n"])],
        [weight],
    )
    model = helper.make_model(graph, producer_name="samples")
    save(model, folder / "model.onnx")
    save(
        model,
        folder / "external.onnx",
        save_as_external_data=True,
        location="external.bin",
        size_threshold=0,
    )


def write_skops(folder: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier
    from skops import io

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    io.dump(model, folder / "pipeline.skops")
    io.dump(DecisionTreeClassifier().fit(X, Y), folder / "tree.skops")


def write_hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "data.h5", "w") as file:
        group = file.create_group("a")
        group.create_dataset("x", data=X, compression="gzip")
        group.attrs["about"] = "numbers"
        file["b"] = h5py.SoftLink("/a/x")
        file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())


def write_picklers(folder: Path) -> None:
    """Data through cloudpickle and dill: no code in it, only another pickler."""
    import cloudpickle
    import dill

    values = {"a": X, "b": [1, "two", None], "c": collections.OrderedDict(x=1)}
    (folder / "cloudpickle.pkl").write_bytes(cloudpickle.dumps(values))
    (folder / "dill.pkl").write_bytes(dill.dumps(values))


def write_msgpack(folder: Path) -> None:
    import msgpack

    raw = {"params": {"kernel": msgpack.ExtType(1, msgpack.packb([[2], "float32", bytes(8)]))}}
    (folder / "flax_model.msgpack").write_bytes(msgpack.packb(raw))
    (folder / "plain.msgpack").write_bytes(msgpack.packb({"a": [1, 2.5, "b", None, True]}))


WRITERS = {
    "trained-numpy": write_numpy,
    "trained-standard": write_standard,
    "trained-pandas": write_pandas,
    "trained-tables": write_tables,
    "trained-trees": write_trees,
    "trained-headers": write_headers,
    "trained-configs": write_configs,
    "trained-onnx": write_onnx,
    "trained-skops": write_skops,
    "trained-hdf5": write_hdf5,
    "trained-picklers": write_picklers,
    "trained-msgpack": write_msgpack,
}


def main() -> None:
    warnings.simplefilter("ignore")
    for name, write in WRITERS.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True)
        write(folder)


if __name__ == "__main__":
    main()
