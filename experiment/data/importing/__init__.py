"""Task `import`: data that this program didn't make, checked, described, copied."""

from experiment.data.importing.task import import_data

__all__ = ["import_data"]
