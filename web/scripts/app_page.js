// Stores and cookies that last as long as the page, for apps in an origin of their own, where the browser's throw errors.
(() => {
  const store = () => {
    const kept = new Map();
    return {
      get length() { return kept.size; },
      key: (n) => [...kept.keys()][n] ?? null,
      getItem: (name) => kept.get(String(name)) ?? null,
      setItem: (name, value) => { kept.set(String(name), String(value)); },
      removeItem: (name) => { kept.delete(String(name)); },
      clear: () => kept.clear(),
    };
  };
  for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, { value: store(), configurable: true });
  }
  const cookies = new Map();
  Object.defineProperty(document, "cookie", {
    configurable: true,
    get: () => [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
    set: (text) => {
      const [, name, value] = /^\s*([^=;]*)=?([^;]*)/.exec(String(text));
      if (/;\s*(max-age=(0|-)|expires=\w+, ?\d+[ -]Jan[ -]1970)/i.test(text)) cookies.delete(name);
      else cookies.set(name, value);
    },
  });
})();
