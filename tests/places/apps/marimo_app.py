"""``marimo run``: the cells run once for each visitor, so their variables are theirs."""

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    from visitor import Visit

    visit = Visit()
    button = mo.ui.run_button(label="Go on")
    button  # noqa: B018 - the last expression of a cell is its output
    return button, mo, visit


@app.cell
def _(button, mo, visit):
    mo.plain_text(visit.finish() if button.value else visit.begin())


if __name__ == "__main__":
    app.run()
