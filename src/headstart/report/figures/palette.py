"""Colours, markers and line styles of arms: told apart by the colour-blind, on white and on dark paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Of arms, the control's first, after Okabe and Ito (2008) and Tol (2021), each at least 3:1 against white
#: and against dark paper (WCAG 2.2, 1.4.11).
ARM_COLOURS: Final = (
    "#767676", "#0072b2", "#d55e00", "#009068", "#c4589e",
    "#a37800", "#7a5fc8", "#1f8a9e", "#cc3f5c", "#9a6038",
)  # fmt: skip
#: What is no arm's.
ROLES: Final = {"--ink": "#1c1c1c", "--muted": "#5e5e5e", "--grid": "#d9d9d9", "--paper": "#fefefe"}
INK, MUTED, GRID, PAPER = ROLES.values()
#: By colour the CSS variable that stands for it.
VARIABLES: Final = {
    **{colour: f"--arm-{i}" for i, colour in enumerate(ARM_COLOURS)},
    **{colour: name for name, colour in ROLES.items()},
}
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
#: Lengths of dashes and gaps in points; the first is a solid line.
_DASHES: Final[tuple[tuple[float, ...], ...]] = ((), (4, 1.5), (1.2, 1.2), (5, 1.5, 1.2, 1.5))


@dataclass(frozen=True)
class ArmStyle:
    """How an arm is drawn on all figures of a study; `dashes` in points, none for a solid line."""

    arm: str
    colour: str
    marker: str
    dashes: tuple[float, ...]

    @property
    def line(self) -> tuple[float, tuple[float, ...] | None]:
        """As matplotlib takes it."""
        return 0, self.dashes or None


def style_arms(arms: Iterable[str], control: str | None) -> dict[str, ArmStyle]:
    """The style of each arm, the control's grey; no two of 40 are alike: from the tenth other arm on colours
    come again, with other markers and dashes."""
    others = [arm for arm in arms if arm != control]
    styles = {arm: _style(arm, 1 + i % (len(ARM_COLOURS) - 1), i + 1) for i, arm in enumerate(others)}
    return {control: _style(control, 0, 0), **styles} if control is not None else styles


def _style(arm: str, colour: int, place: int) -> ArmStyle:
    return ArmStyle(arm, ARM_COLOURS[colour], _MARKERS[place % len(_MARKERS)], _DASHES[place % len(_DASHES)])
