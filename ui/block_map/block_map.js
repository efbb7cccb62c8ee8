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

const frame = () => {
  const map = element("div", "map")
  const row = element("div", "row")
  row.setAttribute("role", "group")
  const axis = element("div", "axis")
  axis.append(element("span", "start"), element("span", "", "head"))
  const legend = element("div", "legend")
  legend.append(
    legendEntry("swatch-frozen", "frozen"),
    legendEntry("swatch-trainable", "trainable"),
    element("span", "", "height: parameters, width: layers"),
  )
  const summary = element("p", "hidden summary")
  map.append(row, axis, legend, summary)
  return map
}

const newBlock = () => {
  const block = element("button", "block")
  block.type = "button"
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
const resize = (row, count) => {
  if (!row.querySelector(".head")) row.append(newHead())
  const head = row.querySelector(".head")
  while (row.querySelectorAll(".block").length < count) row.insertBefore(newBlock(), head)
  const blocks = [...row.querySelectorAll(".block")]
  blocks.splice(count).forEach((extra) => extra.remove())
  return blocks
}

const paint = (node, block, pick) => {
  const bar = node.querySelector(".bar")
  const edge = `${block.frozen * 100}%`
  node.style.flexGrow = block.layers
  node.title = block.label
  node.setAttribute("aria-label", block.label)
  node.onclick = () => pick(block.first)
  bar.style.height = `${block.height * 100}%`
  bar.style.background = `linear-gradient(to right, var(--frozen) ${edge}, var(--trainable) ${edge})`
  bar.style.borderColor = block.frozen > 0.5 ? "var(--frozen-outline)" : "var(--trainable-outline)"
}

export default function ({ data, parentElement, setTriggerValue }) {
  let map = parentElement.querySelector(".map")
  if (!map) {
    map = frame()
    parentElement.append(map)
  }
  for (const [name, color] of Object.entries(data.colors)) map.style.setProperty(`--${name}`, color)
  const row = map.querySelector(".row")
  row.setAttribute("aria-label", `Blocks of the backbone. ${data.summary}`)
  map.querySelector(".start").textContent = data.blocks.length ? data.blocks[0].title : ""
  map.querySelector(".summary").textContent = data.summary
  const nodes = resize(row, data.blocks.length)
  nodes.forEach((node, index) => paint(node, data.blocks[index], (layers) => setTriggerValue("picked", layers)))
}
