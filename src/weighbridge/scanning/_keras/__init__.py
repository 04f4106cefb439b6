"""Keras' configs and HDF5."""
