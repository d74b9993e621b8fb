"""The page that `facegan app` serves: faces, morphs and sliders (extra `[app]`).

    checkpoints   which generators the owner of the server offers, loaded when first asked for
    actions       what a visitor can ask for, as functions of his seeds alone
    markup        faces as HTML
    page          the page, in Gradio
    server        its settings: nothing recorded, nothing uploaded, nothing asked of other servers

`checkpoints`, `actions` and `markup` need no Gradio.
"""

import os

# Read when Gradio is imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_RUN_HISTORY", "False")
