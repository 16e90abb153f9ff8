"""The candidate: the pipeline in PhiML; its rooms fill step by step."""
