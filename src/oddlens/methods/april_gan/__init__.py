"""APRIL-GAN (VAND workshop at CVPR 2023)."""
