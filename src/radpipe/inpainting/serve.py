"""`radpipe page`: serves `radpipe.inpainting.page` to this machine alone."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from radpipe.errors import UserError

MOST_BYTES = "20mb"  # of a picture that is dropped


def serve(project: Path, dataset: str | None, port: int | None) -> None:
    """Serve the page on 127.0.0.1 until interrupted; files only in a temporary folder.

    Args:
        project: the folder that holds params.yaml and results/.
        dataset: whose networks and examples; None: the first of `run.datasets`.
        port: None: the first free one from 7860 on.

    Raises:
        UserError: Gradio is not installed, the port is taken, no project there, no such data set.
    """
    if find_spec("gradio") is None:
        raise UserError(
            "the page needs Gradio, an optional part that is not installed",
            do="pip install -c constraints.txt -e '.[page]'",
        )
    # an answer that is still being written when the page is closed is no fault
    with tempfile.TemporaryDirectory(prefix="radpipe-page-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": folder,
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        from radpipe.inpainting.page import CSS, THEME, Page

        blocks = Page(project, dataset, Path(folder)).blocks()
        try:
            blocks.launch(
                server_name="127.0.0.1",
                server_port=port,
                share=False,
                ssr_mode=False,
                max_file_size=MOST_BYTES,
                footer_links=[],
                css=CSS,
                theme=THEME,
            )
        except OSError as error:
            raise UserError(f"the page cannot be served: {error}", f"port {port}") from None
