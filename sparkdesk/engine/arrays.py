"""The array type that crosses between the engine's parts."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
