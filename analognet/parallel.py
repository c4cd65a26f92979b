"""Work in threads that wait for programs: in order of the tasks, and nothing is left running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from analognet import process

Task = TypeVar("Task")
Found = TypeVar("Found")


def in_threads(
    work: Callable[[Task], Found],
    tasks: Sequence[Task],
    jobs: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Found]:
    """work(task) of every task, `jobs` at a time; progress(done, total) is called as they end.

    Where one fails, or at an interrupt, those not begun never are, and programs that the others wait
    for are ended; programs of threads that are not ours go on.
    """
    ours = process.Group()
    with ThreadPoolExecutor(
        max_workers=max(1, jobs), initializer=process.join, initargs=((*process.groups(), ours),)
    ) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress:
                    progress(done, len(futures))
        except BaseException:
            for future in futures:
                future.cancel()
            process.kill_all(ours)
            raise
        return [future.result() for future in futures]
