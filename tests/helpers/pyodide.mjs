// Runs Python in Pyodide and prints what it returns: node pyodide.mjs NODE_MODULES PACKAGES CHECKOUT CODE
const [modules, packages, checkout, code] = process.argv.slice(2);
const { loadPyodide } = await import(`${modules}/pyodide/pyodide.mjs`);
const python = await loadPyodide();
for (const [name, path] of Object.entries({ "/packages": packages, "/checkout": checkout })) {
  python.FS.mkdir(name);
  python.mountNodeFS(name, path);
}
await python.runPythonAsync("import sys; sys.path += ['/checkout', '/packages']");
console.log(await python.runPythonAsync(code));
