"""Write what Keras and TensorFlow write. Runs in the environment of ``scripts/train-samples``."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

X = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
Y = X[:, :1]


def build_dense() -> Any:
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )


def build_images() -> Any:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3, padding="same")(inputs)
    y = layers.MaxPooling2D()(layers.ReLU()(x))
    z = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(2, 3)(y))
    return keras.Model(inputs, layers.Concatenate()([z, layers.Flatten()(y)]))


def build_text() -> Any:
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(10, 4)(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.MultiHeadAttention(1, 2)(x, x)
    return keras.Model(inputs, layers.TimeDistributed(layers.Dense(2, activation="softmax"))(x))


BUILDERS = {"dense": build_dense, "images": build_images, "text": build_text}


def write_keras(folder: Path) -> None:
    for name, build in BUILDERS.items():
        model = build()
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.save_weights(folder / f"{name}.weights.h5")
        (folder / f"{name}.json").write_text(model.to_json())
    model = build_dense()
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(folder / "compiled.keras")
    model.save(folder / "compiled.h5")
    words = keras.Sequential([layers.TextVectorization(vocabulary=["a", "b"])])
    words.build((None,))
    words.save(folder / "words.keras")


def write_tensorflow(folder: Path) -> None:
    for name, build in BUILDERS.items():
        build().export(folder / name, verbose=False)

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(X[0])

        @tf.function(input_signature=[tf.TensorSpec([None, 8])])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return tf.reduce_sum(x * self.w, axis=1)

    module = Module()
    tf.saved_model.save(module, str(folder / "module"))
    graph = module.__call__.get_concrete_function().graph.as_graph_def()
    (folder / "frozen.pb").write_bytes(graph.SerializeToString())
    tf.train.Checkpoint(w=tf.Variable(X)).write(str(folder / "checkpoint"))
    with tf.io.TFRecordWriter(str(folder / "data.tfrecord")) as writer:
        writer.write(b"an example")


def write_tflite(folder: Path) -> None:
    for name, build in BUILDERS.items():
        if name == "text":
            continue  # needs operators of TensorFlow itself
        converter = tf.lite.TFLiteConverter.from_keras_model(build())
        (folder / f"{name}.tflite").write_bytes(converter.convert())


WRITERS = {
    "trained-keras": write_keras,
    "trained-tensorflow": write_tensorflow,
    "trained-tflite": write_tflite,
}


def main() -> None:
    warnings.simplefilter("ignore")
    for name, write in WRITERS.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True)
        write(folder)


if __name__ == "__main__":
    main()
