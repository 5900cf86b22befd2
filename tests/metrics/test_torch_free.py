import subprocess
import sys


def test_the_metrics_import_neither_torch_nor_anything_beyond_numpy_and_opencv():
    program = "import sys, oddlens.metrics; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
    assert {"numpy", "cv2"} <= loaded
    assert not loaded & {"torch", "scipy", "sklearn", "PIL", "transformers"}
