"""The chi-square distribution's upper quantile, so that tests can state their false-alarm rate."""

from math import sqrt
from statistics import NormalDist


def upper_quantile(freedom: int, alarm: float) -> float:
    """Wilson and Hilferty's approximation (1931); good to 1 % for 5 degrees of freedom and more."""
    normal = NormalDist().inv_cdf(1 - alarm)
    return float(freedom * (1 - 2 / (9 * freedom) + normal * sqrt(2 / (9 * freedom))) ** 3)
