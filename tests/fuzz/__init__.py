"""Bytes without sense: what takes them (`targets`), and two that make them up: hypothesis in the suite, and atheris."""
