"""The framework-free core: what both sides share, without torch and PhiML."""
