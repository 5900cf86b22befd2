"""WinCLIP and WinCLIP+ (CVPR 2023)."""
