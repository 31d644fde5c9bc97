"""SparkDesk's own colours: a spark's amber on near-black, and the same calm on paper."""

from textual.theme import Theme

DARK = Theme(
    name="spark-dark",
    primary="#f5a524",
    secondary="#8ab4c8",
    accent="#f5a524",
    warning="#f5a524",
    error="#f0705f",
    success="#8fbf7a",
    foreground="#d9d5cd",
    background="#0f0f11",
    surface="#161619",
    panel="#1d1d21",
    dark=True,
    variables={
        "border": "#34343a",
        "border-blurred": "#2a2a2f",
        "footer-key-foreground": "#f5a524",
        "footer-background": "#161619",
        "input-selection-background": "#f5a524 25%",
        "scrollbar": "#34343a",
        "scrollbar-background": "#0f0f11",
        "scrollbar-corner-color": "#0f0f11",
        "spark-quiet": "#8d8981",
        "spark-faint": "#55534e",
        "spark-calm": "#8ab4c8",
    },
)

LIGHT = Theme(
    name="spark-light",
    primary="#a35a00",
    secondary="#2f6580",
    accent="#a35a00",
    warning="#a35a00",
    error="#b3261e",
    success="#3b6e28",
    foreground="#24221e",
    background="#faf8f4",
    surface="#f2efe8",
    panel="#e9e5dc",
    dark=False,
    variables={
        "border": "#cbc5b8",
        "border-blurred": "#ddd8cd",
        "footer-key-foreground": "#a35a00",
        "footer-background": "#f2efe8",
        "input-selection-background": "#a35a00 20%",
        "scrollbar": "#cbc5b8",
        "scrollbar-background": "#faf8f4",
        "scrollbar-corner-color": "#faf8f4",
        "spark-quiet": "#6b665c",
        "spark-faint": "#aaa497",
        "spark-calm": "#2f6580",
    },
)

FOREIGN = {"spark-quiet": "#87837b", "spark-faint": "#76736c", "spark-calm": "#5f93ab"}
"""Our own colour names under themes that do not have them: legible on dark and on light."""
