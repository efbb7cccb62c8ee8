const TAB = "transfer-learning-tab"
const LOST = /Is Streamlit still running|Streamlit server is not responding|Cannot connect to Streamlit/

// A finger that scrolls often begins on a slider. There only the thumb is dragged; phone.css lets the rest scroll.
const guardSliders = () => {
  const besideThumb = ({ target, pointerType }) => {
    const slider = pointerType === "mouse" ? null : target.closest?.("[data-testid=stSlider]")
    const thumbs = slider?.querySelectorAll("[data-testid=stSliderThumbValue]") ?? []
    return thumbs.length > 0 && ![...thumbs].some((value) => value.parentElement.contains(target))
  }
  const stop = (event) => besideThumb(event) && event.stopPropagation()
  window.addEventListener("pointerdown", stop, { capture: true, passive: true })
  window.addEventListener("touchstart", stop, { capture: true, passive: true })
  // The browser takes over a finger that goes up or down; the slider waits for its end.
  window.addEventListener("touchcancel", (event) => {
    if (event.target.closest?.("[data-testid=stSlider]"))
      window.dispatchEvent(new TouchEvent("touchend", { changedTouches: [...event.changedTouches] }))
  })
}

// Dialogs, popovers and messages stand beside the app in the page, and not in it: without this they would take the
// light one of two colours in the dark theme, too.
const tellThemeToDialogs = () => {
  const app = document.querySelector("[data-testid=stApp]")
  const tell = () => (document.documentElement.style.colorScheme = getComputedStyle(app).colorScheme)
  new MutationObserver(tell).observe(app, { attributes: true, attributeFilter: ["class"] })
  tell()
}

// On a phone Streamlit's menu stands over the page; it leaves with the title beside it (phone.css).
const letMenuLeaveWithTitle = () =>
  window.addEventListener(
    "scroll",
    ({ target }) => {
      if (target.dataset?.testid !== "stMain") return
      const header = document.querySelector("[data-testid=stHeader]")
      header?.style.setProperty("--scrolled", `${Math.min(target.scrollTop, 48)}px`)
    },
    { capture: true, passive: true },
  )

const line = (name, text) => {
  const node = document.createElement(name)
  node.textContent = text
  return node
}

// Streamlit's own sentence stays in the page, hidden: what its React has drawn is not for us to change.
const sayServerIsGone = (words) => {
  const dialog = [...document.querySelectorAll("[role=dialog]")].find(({ textContent }) => LOST.test(textContent))
  if (!dialog || dialog.querySelector(".server-gone")) return
  const local = ["localhost", "127.0.0.1"].includes(window.location.hostname)
  const note = document.createElement("div")
  note.className = "server-gone"
  note.append(line("h2", words.title), line("p", local ? words.here : words.elsewhere))
  if (local) note.append(line("pre", words.command))
  note.append(line("p", words.then))
  dialog.dataset.serverGone = ""
  dialog.prepend(note)
}

// Lists, files and tables of Streamlit cut long names: whoever points at one gets the whole.
let names = {}
const isCut = (node) => {
  const { textOverflow, webkitLineClamp } = getComputedStyle(node)
  const isWider = node.scrollWidth > node.clientWidth && textOverflow === "ellipsis"
  return isWider || (node.scrollHeight > node.clientHeight && webkitLineClamp !== "none")
}
const tellWholeNames = () =>
  window.addEventListener(
    "pointerover",
    ({ target: node }) => {
      if (!(node instanceof HTMLElement) || (node.title && !node.dataset.whole)) return
      const text = (node instanceof HTMLInputElement ? node.value : node.textContent).trim()
      const whole = names[text] ?? (isCut(node) ? text : "")
      if (whole || node.dataset.whole) node.title = node.dataset.whole = whole
    },
    { passive: true },
  )

// A folder that is chosen tells of each file where in it the file lies; of one that is dropped only the library that
// reads the drop knows, as `relativePath`. Streamlit asks the file alone, and classes are told by their folders.
const tellPlacesOfDroppedFiles = () => {
  const told = Object.getOwnPropertyDescriptor(File.prototype, "webkitRelativePath")
  if (!told) return
  Object.defineProperty(File.prototype, "webkitRelativePath", {
    ...told,
    get() {
      const dropped = typeof this.relativePath === "string" ? this.relativePath : ""
      return told.get.call(this) || (dropped.startsWith("/") ? dropped.slice(1) : "")
    },
  })
}

// A page completes an address that names no dataset or model. That is no step of a person: with an entry of its own in
// the history, whoever goes back would come to the same page twice.
const completes = (to, from, names) => {
  const [before, after] = [[...from.searchParams], [...to.searchParams]]
  const isKept = ([name, value]) => to.searchParams.get(name) === value
  const isOwn = ([name]) => from.searchParams.has(name) || names.includes(name)
  return to.pathname === from.pathname && before.every(isKept) && after.every(isOwn)
}
const keepHistoryShort = (completed) => {
  const push = window.history.pushState.bind(window.history)
  window.history.pushState = (state, unused, address) => {
    const from = new URL(window.location.href)
    const names = completed[from.pathname.split("/").at(-1)] ?? completed[""]
    const isSameStep = completes(new URL(address ?? "", from), from, names)
    isSameStep ? window.history.replaceState(state, unused, address) : push(state, unused, address)
  }
}

const watch = (words, completed) => {
  if (window.transferLearningFrame) return
  window.transferLearningFrame = true
  guardSliders()
  tellThemeToDialogs()
  letMenuLeaveWithTitle()
  tellWholeNames()
  tellPlacesOfDroppedFiles()
  keepHistoryShort(completed)
  new MutationObserver(() => sayServerIsGone(words)).observe(document.body, { childList: true, subtree: true })
}

export default function ({ data, setTriggerValue }) {
  names = data.names
  watch(data.gone, data.completed)
  const before = window.sessionStorage.getItem(TAB)
  if (before === data.tab) return
  window.sessionStorage.setItem(TAB, data.tab)
  if (before) setTriggerValue("before", before)
}
