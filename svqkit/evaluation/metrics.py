"""Scores of gridded forecasts from sums over windows: constant memory, however many windows there are."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Values that are worked on at once: on a CPU so few that float64 copies of them stay in its caches; a GPU is busy only
# with many, which are a few hundred MB beside the batch.
VALUES_AT_ONCE = {"cpu": 2**17, "cuda": 2**22}
# Metrics that are the root of a mean, taken last.
ROOTS = ("rmse", "wrmse")


def latitude_weights(lat: Tensor) -> Tensor:
    """Return cos(latitude) over its mean over the rows, (H,): the weight of a row's area (WeatherBench, eq. 1)."""
    weights = torch.cos(torch.deg2rad(lat.double()))
    return weights / weights.mean()


class GridErrors:
    """Errors of forecasts summed per lead time, channel and grid point, and averaged per window.

    With e = prediction − truth in physical units, over the n windows added: Σe, Σ|e| and Σe², each (L, C, H, W)
    in float64; of each window the means of |e| and e² over leads and grid, (C,).
    """

    def __init__(self) -> None:
        self.count = 0
        self.sums: dict[str, Tensor] = {}
        self._windows = torch.empty(2, 0, 1)
        self._stretches: list[Tensor] = []
        self._before: tuple[Tensor | int, int] = 0, 0

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """Add windows; both (B, L, C, H, W)."""
        parts = [_error_sums(*part) for part in _by_channels(prediction, truth)]
        over_windows, over_grid = (torch.cat(sums, dim=2) for sums in zip(*parts, strict=True))
        for name, value in zip(("bias", "mae", "mse"), over_windows, strict=True):
            self.sums[name] = self.sums.get(name, 0) + value
        self._keep(over_grid)
        self.count += len(prediction)

    def mean(self, name: str) -> Tensor:
        """Return the mean over windows of "bias", "mae" or "mse", (L, C, H, W)."""
        return self.sums[name] / self.count

    def of_windows(self) -> dict[str, Tensor]:
        """Return the "mae" and "mse" of each window, (n, C), over leads and grid."""
        return dict(zip(("mae", "mse"), self._windows[:, : self.count], strict=True))

    def _keep(self, over_grid: Tensor) -> None:
        """Keep what is (2, B, C) of B more windows, in one tensor with room for others.

        A small tensor for each batch, kept among the large ones that come and go, would cut the memory into pieces
        that fit no large one any more: the process would grow with the windows.
        """
        stop = self.count + over_grid.shape[1]
        if stop > self._windows.shape[1]:
            wider = over_grid.new_empty(2, 2 * stop, over_grid.shape[2])
            wider[:, : self.count] = self._windows[:, : self.count]
            self._windows = wider
        self._windows[:, self.count : stop] = over_grid

    def end_stretch(self) -> None:
        """Make one stretch of time of the windows added since the stretch before."""
        squares = self.sums["mse"].sum(0)
        total, count = self._before
        self._stretches.append((squares - total) / ((self.count - count) * len(self.sums["mse"])))
        self._before = squares, self.count

    def of_stretches(self) -> Tensor:
        """Return the mean of e² over leads and the windows of each stretch, (stretch, C, H, W)."""
        return torch.stack(self._stretches)


def _error_sums(prediction: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Σ over windows of e, |e|, e², (3, L, C, H, W); means over leads and grid of |e|, e², (2, B, C)."""
    error = prediction.double() - truth.double()
    size, square = error.abs(), error.square()
    over_windows = torch.stack([value.sum(0) for value in (error, size, square)])
    return over_windows, torch.stack([value.mean((1, 3, 4)) for value in (size, square)])


def _by_channels(*fields: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """A few channels of every field (B, L, C, H, W) at a time: what is made of so few values stays in the cache."""
    channels = parts_at_once(fields[0], fields[0][:, :, 0].numel())
    return zip(*(field.split(channels, dim=2) for field in fields), strict=True)


def parts_at_once(x: Tensor, values: int) -> int:
    """Return how many parts of so many ``values`` are worked on at once, on the device of x."""
    return max(1, VALUES_AT_ONCE.get(x.device.type, VALUES_AT_ONCE["cuda"]) // max(1, values))


class AnomalyCorrelation:
    """Anomaly correlation coefficient (ACC), latitude-weighted, as WeatherBench defines it.

    With f' and t' the anomalies of forecast and truth from climatology and w the latitude weights, all sums over
    windows, latitudes and longitudes, and each anomaly less its plain mean:

        ACC = Σ w f' t' / √(Σ w f'² · Σ w t'²)

    Source: Rasp et al. 2020, arXiv 2002.00469, eq. 2, and its published scoring code.
    """

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights[:, None]
        self.sums = torch.zeros(())

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor) -> None:
        """Add windows; all (B, L, C, H, W)."""
        parts = [self._sums(*part) for part in _by_channels(prediction, truth, climatology)]
        self.sums = self.sums + torch.cat(parts, dim=2)

    def _sums(self, prediction: Tensor, truth: Tensor, climatology: Tensor) -> Tensor:
        """The nine sums (9, L, C) that ``_correlation`` needs, in float64."""
        climatology = climatology.double()
        f, t = prediction.double() - climatology, truth.double() - climatology
        # Per row of the grid first: the weights are those of rows, and the products need no second copy.
        rows = [value.sum((0, 4)) for value in (f, t, f * t, f * f, t * t)]
        count = torch.full_like(rows[0], f.shape[0] * f.shape[4])
        plain = [count, rows[0], rows[1]]
        weighted = [value * self.weights[:, 0] for value in (count, *rows)]
        return torch.stack([value.sum(-1) for value in (*plain, *weighted)])

    def value(self) -> Tensor:
        """Return the ACC (L, C); NaN where forecast or truth has no anomaly at all, as for climatology itself."""
        return _correlation(self.sums)

    def over_leads(self) -> Tensor:
        """Return the ACC (C,) with the sums running over lead times too."""
        return _correlation(self.sums.sum(1))


def _correlation(sums: Tensor) -> Tensor:
    n, f, t, w, wf, wt, wft, wff, wtt = sums
    mean_f, mean_t = f / n, t / n
    covariance = wft - mean_f * wt - mean_t * wf + mean_f * mean_t * w
    variance_f = wff - 2 * mean_f * wf + mean_f**2 * w
    variance_t = wtt - 2 * mean_t * wt + mean_t**2 * w
    # Rounding leaves a little of nothing: what is below 1e-12 of the squares' sum is no anomaly.
    none = (variance_f <= 1e-12 * wtt) | (variance_t <= 1e-12 * wtt)
    return torch.where(none, torch.nan, covariance / (variance_f * variance_t).sqrt())


def grid_means(errors: GridErrors, weights: Tensor) -> dict[str, Tensor]:
    """Return the mean over the grid of each metric, (1 + L, C), over all leads first; of ``ROOTS`` before the root.

    So the RMSE over all leads is the root of the mean over everything, as in the reference. WRMSE, weighted by latitude
    with ``weights`` (H,), is WeatherBench's RMSE.
    """
    squares, sizes = errors.mean("mse"), errors.mean("mae")
    mse = squares.mean((2, 3))
    means = {"mse": mse, "mae": sizes.mean((2, 3)), "rmse": mse, "wrmse": (squares * weights[:, None]).mean((2, 3))}
    return {name: torch.cat([mean.mean(0, keepdim=True), mean]) for name, mean in means.items()}
