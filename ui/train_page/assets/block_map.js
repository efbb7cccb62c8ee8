const sliderWatchers = new WeakMap()

const element = (name, className, text = "") => {
  const node = document.createElement(name)
  node.className = className
  node.textContent = text
  return node
}

const legendEntry = (swatch, text) => {
  const entry = element("span", "")
  entry.append(element("i", swatch), document.createTextNode(text))
  return entry
}

// One stop for the tab key, arrows from block to block: a backbone may have dozens of them.
const moveFocus = (event) => {
  const nodes = [...event.currentTarget.querySelectorAll(".block")]
  const here = nodes.indexOf(event.target)
  const places = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: nodes.length - 1 }
  const next = nodes[places[event.key]]
  if (!next) return
  event.preventDefault()
  nodes.forEach((node) => (node.tabIndex = -1))
  next.tabIndex = 0
  next.focus()
}

const frame = () => {
  const map = element("div", "map")
  const row = element("div", "row")
  row.setAttribute("role", "toolbar")
  row.onkeydown = moveFocus
  const axis = element("div", "axis")
  axis.append(element("span", "start"), element("span", "", "head"))
  const legend = element("div", "legend")
  legend.append(
    legendEntry("swatch-frozen", "frozen"),
    legendEntry("swatch-trainable", "trainable"),
    element("span", "", "height: parameters, width: layers"),
  )
  map.append(element("p", "count"), row, axis, legend)
  return map
}

const newBlock = () => {
  const block = element("button", "block")
  block.type = "button"
  block.tabIndex = -1
  block.append(element("span", "bar"))
  return block
}

const newHead = () => {
  const head = element("span", "head")
  head.title = "head: always trainable"
  head.append(element("span", "bar"))
  return head
}

// The nodes are kept from one drawing to the next, so that the keyboard focus stays where it is.
const blockNodes = (row, count) => {
  if (!row.querySelector(".head")) row.append(newHead())
  const head = row.querySelector(".head")
  while (row.querySelectorAll(".block").length < count) row.insertBefore(newBlock(), head)
  const nodes = [...row.querySelectorAll(".block")]
  nodes.splice(count).forEach((extra) => extra.remove())
  return nodes
}

const shareFrozen = (block, frozen) => {
  const layers = block.end - block.first
  return Math.min(Math.max(frozen - block.first, 0), layers) / Math.max(layers, 1)
}

const stateInWords = (share) => {
  if (share === 1) return "frozen"
  return share === 0 ? "trainable" : `${Math.round(share * 100)} % frozen`
}

const countInWords = (count) => {
  if (count < 10_000) return count.toLocaleString("en")
  const [value, unit] = count < 999_500 ? [count / 1e3, "k"] : [count / 1e6, "M"]
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${unit}`
}

const paintBlock = (node, block, frozen) => {
  const share = shareFrozen(block, frozen)
  const bar = node.querySelector(".bar")
  const edge = `${share * 100}%`
  const label = `${block.title}: ${block.text}, ${stateInWords(share)}. Press to train from here on.`
  node.style.flexGrow = block.end - block.first
  node.title = label
  node.setAttribute("aria-label", label)
  bar.style.height = `${block.height * 100}%`
  bar.style.background = `linear-gradient(to right, var(--frozen) ${edge}, var(--trainable) ${edge})`
  bar.style.borderColor = share > 0.5 ? "var(--frozen-outline)" : "var(--trainable-outline)"
}

const paint = (map, data, frozen, pick) => {
  const nodes = blockNodes(map.querySelector(".row"), data.blocks.length)
  nodes.forEach((node, index) => {
    paintBlock(node, data.blocks[index], frozen)
    node.onclick = () => pick(data.blocks[index].first)
  })
  if (!nodes.some((node) => node.tabIndex === 0)) nodes.at(-1)?.setAttribute("tabindex", "0")
  const trainable = data.trainable[Math.min(frozen, data.trainable.length - 1)]
  const share = trainable ? ` (${Math.max(1, Math.round((100 * trainable) / data.parameters))} %)` : ""
  const number = element("strong", "", countInWords(trainable))
  map.querySelector(".count").replaceChildren(
    number,
    ` of ${countInWords(data.parameters)} parameters learn${share}`,
  )
}

// Streamlit hears of a slider when it is let go. The number it shows on the way is in the page, so the map reads it
// there. It watches the page and not the slider, which may be drawn after the map, or anew.
const followSlider = (parentElement, selector, repaint) => {
  sliderWatchers.get(parentElement)?.disconnect()
  const watcher = new MutationObserver((changes) => {
    const moved = changes.find(({ target }) => target.matches(selector))
    if (moved) repaint(Number(moved.target.value))
  })
  watcher.observe(document.body, { subtree: true, attributes: true, attributeFilter: ["aria-valuetext", "value"] })
  sliderWatchers.set(parentElement, watcher)
}

export default function ({ data, parentElement, setTriggerValue }) {
  let map = parentElement.querySelector(".map")
  if (!map) {
    map = frame()
    parentElement.append(map)
  }
  for (const [name, color] of Object.entries(data.colors)) map.style.setProperty(`--${name}`, color)
  map.querySelector(".row").setAttribute("aria-label", `Blocks of the backbone. ${data.summary}`)
  map.querySelector(".start").textContent = data.blocks.length ? data.blocks[0].title : ""
  const repaint = (frozen) => paint(map, data, frozen, (layers) => setTriggerValue("picked", layers))
  repaint(data.frozen)
  followSlider(parentElement, data.slider, repaint)
  return () => sliderWatchers.get(parentElement)?.disconnect()
}
