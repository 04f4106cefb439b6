"""What each folder of ``scripts/samples`` and ``scripts/train-samples`` is there for."""

from __future__ import annotations

# Packages that ship real weights, or test data of a format's own library.
SHIPPED = {
    "alt-profanity-check": "joblib of two scikit-learn models, compressed",
    "attacut": "PyTorch state dicts in the layout before zip, YAML, JSON vocabularies, bytecode",
    "basic-pitch": "one model as SavedModel, ONNX, TFLite and Core ML package",
    "chgnet": "PyTorch checkpoints in zip layout that are called .pth.tar",
    "deepcut": "Keras weights in HDF5",
    "facenet-pytorch": "PyTorch state dicts in the layout before zip",
    "faster-whisper": "an ONNX graph of 1 MB, preprocessing code",
    "fer": "a whole Keras model in HDF5, a quantised TFLite, a cascade of OpenCV in XML",
    "g2p-en": "npz with weights of a model in NumPy",
    "g2pm": "pickles of dictionaries and of a list of NumPy arrays",
    "guesslang": "SavedModel of an estimator of TensorFlow 2",
    "joblib": "joblib's own test pickles: releases 0.8 to 0.11, Python 2.7 to 3.6",
    "kraken": "Core ML protobuf of 5 MB, Jinja templates of output formats",
    "langid": "a pickled model as bzip2 and base64 inside of a Python file",
    "lpips": "small PyTorch state dicts in the layout before zip",
    "m3gnet": "modules and tables of a TensorFlow model",
    "magika": "ONNX with external operators, its configuration",
    "mtcnn": "joblib with lz4",
    "nudenet": "a YOLO model in ONNX",
    "numpy": "npy of Python 2, pickles of random generators, CSV; much ordinary code",
    "onnx": "the test models of ONNX: every operator, TensorProto files, external data",
    "py3langid": "a model as npz inside of xz",
    "pythainlp": "crfsuite, ONNX, word lists, SQLite",
    "pyvi": "pickles of sklearn-crfsuite: classes of a third party, a crfsuite model within",
    "rapidocr-onnxruntime": "ONNX graphs converted from Paddle",
    "resemblyzer": "a PyTorch training checkpoint of 17 MB with optimiser",
    "scikit-learn": "CSV, gzipped ARFF, JPEG; much ordinary code",
    "sefr-cut": "Keras HDF5, crfsuite models",
    "sentencepiece": "models of SentencePiece in protobuf",
    "silero-vad": "one model as TorchScript, ONNX and safetensors",
    "speechmos": "ONNX graphs converted from Keras",
    "textblob": "lexica in text and XML",
    "torchani": "HDF5 data set, CUDA sources, templates",
    "ultralytics": "YAML of many models and data sets, shell scripts, notebooks' code",
    "underthesea": "crfsuite models, joblib-like .bin files, dictionaries",
    "usaddress": "a crfsuite model",
    "mediapipe-face-detection": "TFLite and MediaPipe graphs",
    "mediapipe-selfie-segmentation": "TFLite and a MediaPipe graph",
    "ricky0123-vad-web": "ONNX for the browser",
    "tesseract.js-data-eng": "Tesseract models inside of gzip",
    "vladmandic-face-api": "TensorFlow.js: manifests in JSON beside raw weights",
}

# What libraries of today write.
WRITTEN = {
    "trained-configs": "the JSON and text beside the weights in a model's repository",
    "trained-hdf5": "HDF5 that is no model",
    "trained-headers": "safetensors and GGUF with a chat template",
    "trained-joblib": "joblib: every compression and protocol, every kind of array",
    "trained-msgpack": "msgpack: plain and as Flax writes it",
    "trained-numpy": "npy of every dtype, npz, pickles of arrays in protocols 0 to 5",
    "trained-onnx": "ONNX with weights inside and outside",
    "trained-pandas": "pickles of frames in every compression, Feather, ORC, Parquet",
    "trained-picklers": "data through cloudpickle and dill",
    "trained-sklearn": "every estimator of scikit-learn, each through three picklers of ten",
    "trained-skops": "skops",
    "trained-standard": "collections, times, numbers of the standard library in protocols 0 to 5",
    "trained-tables": "Parquet and Arrow in every compression",
    "trained-trees": "XGBoost and LightGBM: their own formats, pickle, joblib",
}

# The same by PyTorch, Keras and TensorFlow, in an environment of their own.
TRAINED = {
    "trained-keras": ".keras, HDF5, weights alone, JSON",
    "trained-tensorflow": "SavedModels, a frozen graph, a checkpoint, TFRecord",
    "trained-tflite": "TFLite",
    "trained-torch-checkpoints": "state dicts, optimisers, arguments; zip and the layout before it",
    "trained-torch-modules": "whole modules of torch.nn, and one whose class nobody knows",
    "trained-torch-old": "a checkpoint inside of a tar archive",
    "trained-torch-programs": "TorchScript traced, scripted and lite; torch.export",
    "trained-torch-tensors": "tensors of every dtype and layout",
}
