"""`radpipe inpaint`: files and folders in, files out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from radpipe import pictures
from radpipe.errors import UserError
from radpipe.inpainting.crop import Crop
from radpipe.inpainting.fill import Filler
from radpipe.inpainting.save import FORMATS, destination, save
from radpipe.inpainting.show import Film, save_sheet
from radpipe.masks import hole as polarity
from radpipe.progress import bar

MASK_ENDINGS = ("", "_mask", "-mask", "_mask001")  # after the picture's name, as IOPaint and LaMa


@dataclass(frozen=True)
class Options:
    """What the command was told; see its help."""

    seed: int = 0
    samples: int = 1
    crop: Crop = "auto"
    animate: bool = False
    threshold: int = polarity.THRESHOLD
    invert: bool = False
    resize_mask: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Order:
    """One picture, its mask, and where the result goes."""

    picture: Path
    mask: Path
    out: Path

    def outputs(self, options: Options) -> dict[str, Path]:
        """The files to write: `0`, `1`, ...: the answers; `sheet`; `gif`."""
        out, several = self.out, options.samples > 1
        numbers = [str(number) for number in range(options.samples)]
        names = {n: f"{out.stem}-{n}{out.suffix}" if several else out.name for n in numbers}
        if several:
            names["sheet"] = f"{out.stem}-sheet.png"
        if options.animate:
            names["gif"] = f"{out.stem}.gif"
        return {key: out.with_name(name) for key, name in names.items()}


class Work:
    """An order whose files are read and whose outputs may be written.

    Raises:
        UserError: a file cannot be read, a mask does not fit, an output must not be written.
    """

    def __init__(self, filler: Filler, order: Order, options: Options) -> None:
        self.order, self.method = order, filler.method
        inputs = [] if options.overwrite else [order.picture, order.mask]
        self.outputs = {
            key: destination(path, inputs, [".gif"] if key == "gif" else FORMATS)
            for key, path in order.outputs(options).items()
        }
        self.picture = pictures.read(order.picture)
        self.hole = polarity.read(
            order.mask,
            self.picture.size,
            threshold=options.threshold,
            invert=options.invert,
            resize=options.resize_mask,
        )
        where, hole = str(order.picture), self.hole.mask
        self.fillings = filler.start(
            self.picture.opaque, hole, options.samples, options.crop, where
        )
        self.blank = self.fillings[0].picture
        self.evaluations = filler.planned_evaluations * len(self.fillings[0].parts)
        self.film = Film(self.evaluations, self.fillings[0].parts)
        if options.animate:
            self.fillings[0].watch = self.film.add

    def write(self) -> str:
        """Write the results; returns what was done, in one line, and its notes."""
        first, (height, width) = self.fillings[0], self.picture.size
        notes = [*self.picture.notes, *self.hole.notes, *first.warnings()]
        for number, filling in enumerate(self.fillings):
            result = self.picture.filled(filling.picture, self.hole.mask)
            notes += save(result, self.outputs[str(number)])
        if "sheet" in self.outputs:
            save_sheet(self.outputs["sheet"], [self.blank, *(f.picture for f in self.fillings)])
        if "gif" in self.outputs:
            self.film.save(self.outputs["gif"], self.blank, first.picture)
        share = 100 * float(self.hole.mask.mean())
        line = (
            f"{self.order.picture.name} {width}x{height}, "
            f"hole: {share:.{0 if share >= 10 else 2}f} % of the picture; {first.describe()}; "
            f"{self.method}: {sum(f.evaluations for f in self.fillings):g} evaluations, "
            f"{sum(f.seconds for f in self.fillings):.1f} s -> {self.order.out}"
        )
        return "\n".join([line, *(f"  note: {note}" for note in dict.fromkeys(notes))])


def inpaint(filler: Filler, orders: Sequence[Order], options: Options) -> Iterator[str | UserError]:
    """Fill pictures in batches, under one progress bar; what fails is passed over.

    Yields:
        A line about each picture that was filled, and why the others were not.
    """
    at_once = max(1, filler.batch // options.samples)
    each = filler.planned_evaluations * options.samples
    with bar(each * len(orders), filler.method, "evaluations") as progress:
        for start in range(0, len(orders), at_once):
            works = []
            for order in orders[start : start + at_once]:
                try:
                    works.append(Work(filler, order, options))
                except UserError as error:
                    progress.update(each)
                    yield error
            more = sum(work.evaluations * options.samples - each for work in works)
            progress.total = (progress.total or 0) + more
            yield from _fill(filler, works, options.seed, progress)


def _fill(
    filler: Filler, works: Sequence[Work], seed: int, progress: tqdm
) -> Iterator[str | UserError]:
    """Fill some pictures together and write them; where that fails, one by one."""
    try:
        filler.fill([f for work in works for f in work.fillings], seed, progress.update)
        yield from [work.write() for work in works]
    except UserError as error:
        if len(works) == 1:
            yield error
        else:
            for work in works:  # what is filled already is only written
                yield from _fill(filler, [work], seed, progress)


def orders_of(pictures_at: Path, masks_at: Path, out: Path) -> Iterator[Order | UserError]:
    """The pictures of a folder, each with the mask of its name, or all with one mask.

    Yields:
        What can be done, and a message for each picture that cannot.

    Raises:
        UserError: no pictures there, or the output is a file.
    """
    found = _files(pictures_at)
    if not found:
        raise UserError("the folder holds no pictures", str(pictures_at))
    if out.exists() and not out.is_dir():
        raise UserError("pictures of a folder go into a folder, and this is a file", str(out))
    masks = {path.stem: path for path in _files(masks_at)} if masks_at.is_dir() else {}
    made_from: dict[Path, Path] = {}
    for path in found:
        names = [path.stem + ending for ending in MASK_ENDINGS]
        mask = next((masks[name] for name in names if name in masks), None)
        target = out / f"{path.stem}.png"
        if masks_at.is_dir() and mask is None:
            yield UserError(f"no mask is named {path.stem}", str(path))
        elif target in made_from:
            what = f"its result would be {target.name}, as that of {made_from[target].name}"
            yield UserError(what, str(path))
        else:
            made_from[target] = path
            yield Order(path, mask or masks_at, target)


def _files(folder: Path) -> list[Path]:
    """The pictures in a folder, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in pictures.SUFFIXES)


def command(
    filler: Filler,
    picture: Path,
    mask: Path,
    out: Path,
    options: Options,
    say: Callable[[str], None],
) -> None:
    """The whole of `radpipe inpaint`; see its help.

    Raises:
        UserError: nothing, or not all, could be done.
    """
    if not picture.is_dir():
        (result,) = inpaint(filler, [Order(picture, mask, out)], options)
        if isinstance(result, UserError):
            raise result
        say(result)
        return
    found = list(orders_of(picture, mask, out))
    orders = [order for order in found if isinstance(order, Order)]
    todo = [
        order
        for order in orders
        if options.overwrite or not all(p.is_file() for p in order.outputs(options).values())
    ]
    results = [*found, *inpaint(filler, todo, options)]
    failed = [result for result in results if isinstance(result, UserError)]
    lines = [result for result in results if isinstance(result, str)]
    for line in [*lines, *(f"failed: {fault}" for fault in failed)]:
        say(line)
    if len(todo) < len(orders):
        say(f"{len(orders) - len(todo)} were there already (--overwrite makes them again)")
    if failed:
        what = f"{len(failed)} of {len(found)} pictures failed"
        raise UserError(what, str(out), "the messages are above; the same command goes on")
