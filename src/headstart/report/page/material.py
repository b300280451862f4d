"""What the page's sections are made from: a study's details, its comparisons by metric, and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from headstart.analysis.comparison import Comparison
from headstart.analysis.details.study_details import StudyDetails
from headstart.analysis.findings import Findings
from headstart.analysis.findings_comparison import compare_findings
from headstart.config.study import Study
from headstart.report.comparison_tables import name_tables
from headstart.report.figures.draw_all import MOST_MATRICES
from headstart.report.named_tables import NamedTable
from headstart.report.page.blocks import PageFigure, PageTable, Sentences

if TYPE_CHECKING:
    from headstart.report.figures.figure import Figure


@dataclass(frozen=True, eq=False)
class PageMaterial:
    """Details of one study with its figures, as all sections read them.

    `with_texts`: prompts and answers may be shown; the texts of test examples are in the details, or are not.
    """

    details: StudyDetails
    figures: Sequence[Figure] = ()
    with_texts: bool = True

    @property
    def findings(self) -> Findings:
        """What the records say together."""
        return self.details.results.findings

    @property
    def study(self) -> Study:
        """The study, every default filled in."""
        return self.details.results.study

    @property
    def arms(self) -> frozenset[str]:
        """Names whose rows can be hidden."""
        return frozenset(self.study.arms)

    @property
    def has_sizes(self) -> bool:
        """Whether tables name the training-set size."""
        return len(self.study.sizes) > 1

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Test metrics, the study's first."""
        return tuple(dict.fromkeys((self.study.metric, *self.findings.metrics)))

    @cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """By metric, of those that some arm has."""
        made = {metric: compare_findings(self.findings, metric) for metric in self.metrics}
        return {metric: comparison for metric, comparison in made.items() if comparison.summary}

    @cached_property
    def named_tables(self) -> Mapping[str, tuple[NamedTable, ...]]:
        """By metric those of `headstart compare`."""
        return {metric: tuple(name_tables(one)) for metric, one in self.comparisons.items()}

    def list_figures(self, *sections: str) -> Iterator[PageFigure]:
        """Those that are drawn for these sections."""
        return (PageFigure(figure) for figure in self.figures if figure.section in sections)

    def list_last_figures(self, section: str, count: int, what: str) -> Iterator[PageFigure | Sentences]:
        """Those of a section that has `count` to show, and where only the last are drawn, how many."""
        drawn = list(self.list_figures(section))
        yield from drawn
        if 0 < len(drawn) < count and len(drawn) == MOST_MATRICES:
            yield Sentences((f"Drawn: the last {len(drawn)} of {count:,} {what}.",))

    def list_tables(self, *names: str) -> Iterator[PageTable]:
        """The tables of `headstart compare` with these names, by each metric."""
        for metric, tables in self.named_tables.items():
            is_main = metric == self.study.metric
            for table in tables:
                if table.name in names:
                    stem = table.name if is_main else f"{table.name}-{metric.replace('_', '-')}"
                    yield PageTable(stem, table.caption, table.rows, table.keys, "", metric, self.arms)

    def make_table(
        self,
        name: str,
        caption: str,
        head: Sequence[str],
        rows: Iterable[tuple[Sequence[str], object]],
        keys: int = 1,
        *,
        most: int | None = None,
    ) -> PageTable:
        """A table of arms, with the training-set size behind each in studies that have several.

        Args:
            rows: the cells of each, without the size, and the size.
            keys: columns that name a row, without the size.
            most: rows above which it is folded.
        """
        cells = [self.add_size(row, size) for row, size in rows]
        return PageTable(
            name,
            caption,
            [self.add_size(head, "train size"), *cells],
            keys + self.has_sizes,
            arms=self.arms,
            is_folded=most is not None and len(cells) > most,
        )

    def add_size(self, cells: Sequence[str], size: object) -> list[str]:
        """With the training-set size behind the arm, in studies that have several."""
        return [cells[0], str(size), *cells[1:]] if self.has_sizes else list(cells)
