// Small comforts of every page: copy buttons, choices that submit themselves, menus that close.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

async function copy(button) {
  const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.parentElement.querySelector("pre");
  const text = button.dataset.copyText ?? source?.innerText ?? "";
  const isCopied = await write(text.trimEnd());
  const use = button.querySelector("use");
  const before = use.getAttribute("href");
  use.setAttribute("href", before.replace(/#.*$/, isCopied ? "#check" : "#warning"));
  say(isCopied ? "Copied" : "Could not copy");
  setTimeout(() => use.setAttribute("href", before), 1600);
}

/** Pages without HTTPS have no clipboard of their own; there a selection is copied. */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

/** Tells those who hear the page. */
export function say(text) {
  const place = document.getElementById("spoken");
  if (place) place.textContent = text;
}

for (const select of document.querySelectorAll("select[data-go]")) {
  select.addEventListener("change", () => { location.href = select.value; });
}

addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.account[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.account[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    const search = document.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  }
});
