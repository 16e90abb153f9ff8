"""The program `hyco`: where Hydra ends."""
