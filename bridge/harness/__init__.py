"""Compares, times and diagnoses any pair of pipelines; knows none of this project's."""
