"""A widget that leaks into every outlet, to show that the scan finds it."""

CELL = '''
import logging, os, subprocess, sys, tempfile
import anywidget, traitlets
from IPython.display import display

class LeakingWidget(anywidget.AnyWidget):
    _esm = """export default { render({ model, el }) {
      const input = document.createElement("input");
      input.setAttribute("aria-label", "Leaky");
      input.addEventListener("change", () => {
        localStorage.setItem("leak", input.value);
        model.set("value", input.value);
        model.save_changes();
      });
      el.append(input);
    } }"""
    value = traitlets.Unicode().tag(sync=True)

started = []

def leak(change):
    value = change["new"]
    logging.getLogger("leak").debug("typed %s", value)
    get_ipython().kernel.log.warning("typed %s", value)
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(value)
    started.append(subprocess.Popen([sys.executable, "-c", "input()", value], stdin=subprocess.PIPE))
    get_ipython().history_manager.store_inputs(99, f"password = {value!r}")
    line.update({"text/plain": value}, raw=True)

widget = LeakingWidget()
widget.observe(leak, "value")
line = display({"text/plain": "nothing yet"}, raw=True, display_id=True)
widget
'''
# What a careless script says in a terminal
SCRIPT = "input('password: ')"
# With nobody there: what a careless notebook prints
PRINT = "print(dict(api.token)['access_token'])"
# The child goes on until it is spoken to
END = "for child in started:\n    child.communicate(b'.')"
