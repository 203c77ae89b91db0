"""The page of `radpipe page`: paint a hole, and watch methods fill it side by side.

The picture stays with the server as it was read; the browser paints on a copy of a handy size.
Known pixels are those of the file. Needs Gradio; see `radpipe.inpainting.serve`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from radpipe import pictures
from radpipe.errors import UserError
from radpipe.imagestore import ImageStore
from radpipe.inpainters import load as load_class
from radpipe.inpainting.crop import Mask, Pixels
from radpipe.inpainting.fill import Filler, Filling, load, missing
from radpipe.inpainting.save import save
from radpipe.inpainting.show import scaled
from radpipe.params import read
from radpipe.section import PARAMS

EXAMPLES = 12
HANDY = (448, 800)  # longer side of what is painted on, pixels
PAINT = "#ff2fa0"  # seen on most pictures
EVERY = 0.15  # seconds between two states that are shown
CSS = """
.small img {image-rendering: pixelated}
#answers {display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr))}
#examples .grid-container {grid-auto-rows: min-content}
#examples .grid-container {grid-template-columns: repeat(auto-fill, minmax(72px, 1fr))}
#examples button {aspect-ratio: 1; height: auto; min-height: 0}
#answers .grid-wrap, #examples .grid-wrap {min-height: 0; padding: 4px}
"""
THEME = gr.themes.Base(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"))
HIDDEN = gr.update(visible=False)
Chosen = tuple[pictures.Picture, dict[str, Any]]


def painted(editor: dict[str, Any] | None, size: tuple[int, int]) -> Mask:
    """The hole, bool `[H, W]`: where more than half of a pixel is painted.

    Args:
        editor: value of Gradio's ImageEditor; its layers are RGBA, transparent but for the paint.
        size: height and width of the picture.

    Raises:
        UserError: nothing is painted.
    """
    hole = np.zeros(size, bool)
    for layer in (editor or {}).get("layers", []):
        paint = Image.fromarray((layer[..., 3] > 127).astype(np.float32))
        hole |= np.asarray(paint.resize(size[::-1], Image.Resampling.BOX)) > 0.5
    if not hole.any():
        raise UserError("nothing is painted yet: paint what is to be generated")
    return hole


def states(filler: Filler, fillings: Sequence[Filling], seed: int) -> Iterator[list[Pixels]]:
    """Fill pictures in a thread; yields what they look like, again and again."""
    now = [filling.picture for filling in fillings]

    def look(index: int, make: Callable[[], Pixels]) -> None:
        now[index] = make()

    for index, filling in enumerate(fillings):
        filling.watch = partial(look, index)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(filler.fill, fillings, seed)
        while not job.done():
            wait([job], timeout=EVERY)
            yield list(now)
        job.result()  # raises what was raised there


class Page:
    """What the page shows and does.

    Args:
        project: the folder that holds params.yaml and results/.
        dataset: whose networks and examples; None: the first of `run.datasets`.
        folder: for files to download.

    Raises:
        UserError: no project there, no such data set.
    """

    def __init__(self, project: Path, dataset: str | None, folder: Path) -> None:
        load("telea", dataset, project=project)  # needs no network: says what else is wrong
        settings = read(project / PARAMS)
        self.project, self.folder = project, folder
        self.dataset = dataset or settings.run.datasets[0]
        lacks = partial(missing, settings, project, self.dataset)
        self.methods = [method for method in settings.run.methods if not lacks(method)]
        store = project / "results" / "data" / self.dataset / "test.zip"
        images = ImageStore(store) if store.is_file() else None
        self.examples = [images.read(name) for name in images.ids[:EXAMPLES]] if images else []

    def blocks(self) -> gr.Blocks:
        """The page, laid out."""
        with gr.Blocks(title="radpipe", analytics_enabled=False) as blocks:
            gr.Markdown(
                "## Fill a hole in a picture\nChoose an example or drop a picture, paint what is to"
                f" be generated, press *Fill*. Networks: {self.dataset}. Nothing leaves this"
                " machine."
            )
            picture = gr.State(None)
            with gr.Row():
                with gr.Column(min_width=320):
                    editor = gr.ImageEditor(
                        label="Paint the hole",
                        elem_id="editor",
                        format="png",
                        sources=(),
                        transforms=(),
                        layers=False,
                        buttons=[],
                        brush=gr.Brush(default_size=25, colors=[PAINT], color_mode="fixed"),
                        height=520,
                    )
                with gr.Column(min_width=320):
                    examples = gr.Gallery(
                        [scaled(example, HANDY) for example in self.examples],
                        show_label=False,
                        columns=6,
                        height="auto",
                        allow_preview=False,
                        buttons=[],
                        visible=bool(self.examples),
                        elem_id="examples",
                    )
                    drop = gr.File(label="or drop a picture", height=120, elem_id="drop")
                    methods = gr.CheckboxGroup(
                        self.methods, value=self.methods[:1], label="Methods"
                    )
                    with gr.Row():
                        steps = gr.Number(0, precision=0, minimum=0, label="Steps (0: usual)")
                        seed = gr.Number(0, precision=0, minimum=0, label="Seed")
                        samples = gr.Slider(1, 4, 1, step=1, label="Answers")
                    button = gr.Button("Fill", variant="primary", elem_id="fill")
            with gr.Row(elem_id="answers"):
                answers = [self._answer(method) for method in self.methods]
            examples.select(self.example, None, [picture, editor])
            drop.upload(self.dropped, drop, [picture, editor])
            button.click(
                self.fill,
                [picture, editor, methods, steps, seed, samples],
                [part for answer in answers for part in answer],
                show_progress="hidden",
            )
        return blocks

    @staticmethod
    def _answer(method: str) -> list[Any]:
        """Where a method's answers go: a column, the pictures, figures and files in it."""
        with gr.Column(min_width=230, visible=False) as column:
            view = gr.Gallery(
                show_label=False, height="auto", format="png", buttons=[], elem_id=f"view-{method}"
            )
            text = gr.Markdown(elem_id=f"text-{method}")
            file = gr.DownloadButton("Download", visible=False, size="sm", elem_id=f"file-{method}")
        return [column, view, text, file]

    def example(self, event: gr.SelectData) -> Chosen:
        """An example to paint on."""
        return self._chosen(pictures.Picture(self.examples[event.index]))

    def dropped(self, path: str) -> Chosen:
        """The user's own picture, or a message."""
        try:
            return self._chosen(pictures.read(Path(path)))
        except UserError as error:
            raise gr.Error(error.what, print_exception=False) from None

    @staticmethod
    def _chosen(picture: pictures.Picture) -> Chosen:
        shown = scaled(picture.opaque, HANDY)
        return picture, {"background": shown, "layers": [], "composite": None}

    def fill(
        self,
        picture: pictures.Picture | None,
        editor: dict[str, Any] | None,
        methods: list[str],
        steps: int,
        seed: int,
        samples: int,
    ) -> Iterator[list[Any]]:
        """Fill the hole by each method in turn; yields new values for all answers."""
        blank = {m: [gr.update(visible=m in methods), [], f"**{m}**", HIDDEN] for m in self.methods}
        try:
            if picture is None:
                raise UserError("no picture is chosen yet")
            hole = painted(editor, picture.size)
            yield [*chain(*blank.values())]
            for method in methods:
                for values in self._filled(picture, hole, method, steps, seed, samples):
                    kept = {m: [gr.skip()] * 4 for m in self.methods}
                    yield [*chain(*(kept | {method: [gr.skip(), *values]}).values())]
        except UserError as error:
            raise gr.Error(error.what, print_exception=False) from None

    def _filled(
        self,
        picture: pictures.Picture,
        hole: Mask,
        method: str,
        steps: int,
        seed: int,
        samples: int,
    ) -> Iterator[list[Any]]:
        """Pictures, text and files of one method, while it works and at the end."""
        has_steps = "steps" in load_class(method).Settings.model_fields
        filler = load(method, self.dataset, steps or None if has_steps else None, self.project)
        fillings = filler.start(picture.opaque, hole, samples)
        look: dict[str, Any] = {
            "elem_classes": ["small"] if max(picture.size) < HANDY[0] else [],
            "columns": min(2, samples),
        }
        for now in states(filler, fillings, seed):
            yield [gr.update(value=now, **look), f"**{method}** …", HIDDEN]
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        paths = [folder / f"{method}-seed{seed}-{filling.number}.png" for filling in fillings]
        for path, filling in zip(paths, fillings, strict=True):
            save(picture.filled(filling.picture, hole), path)
        evaluations = sum(filling.evaluations for filling in fillings)
        seconds = sum(filling.seconds for filling in fillings)
        text = f"**{method}**: {seconds:.2f} s, {evaluations:g} evaluations, hole {hole.mean():.0%}"
        text = "  \n".join([text, *(f"*{note}*" for note in fillings[0].warnings())])
        file = paths[0] if samples == 1 else shutil.make_archive(str(folder), "zip", folder)
        download = gr.update(value=str(file), visible=True)
        yield [gr.update(value=[str(path) for path in paths], **look), text, download]
