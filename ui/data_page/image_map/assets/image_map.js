// The browser side of the map: one <div>, one Plotly trace, brought up to date by Plotly.react. Pictures are asked for
// when somebody points at them; `map_pictures.js` brings them.

const TOUCH = "(pointer: coarse)" // there a finger scrolls the page until a tool is chosen
const SHAPES = {
  circle: "M6 1a5 5 0 1 0 .01 0z",
  diamond: "M6 0 12 6 6 12 0 6z",
  square: "M1.5 1.5h9v9h-9z",
  "triangle-up": "M6 1 11.5 11H.5z",
  x: "M2.5 0 6 3.5 9.5 0 12 2.5 8.5 6 12 9.5 9.5 12 6 8.5 2.5 12 0 9.5 3.5 6 0 2.5z",
}
const FADED = "#7f8a95" // of the points that are not selected: 3:1 at least on the light ground and on the dark one
const STEPS = 65535 // along each side of the map
const MARGIN = 0.05 // of a side, around all images, from where they can be drawn around
const AHEAD = 12 // pictures near the one pointed at that come along with it

const maps = new WeakMap() // element -> ImageMap; Streamlit calls the function below again for every update

export default function ({ data, parentElement, setTriggerValue }) {
  let map = maps.get(parentElement)
  if (!map) {
    map = new ImageMap(parentElement)
    maps.set(parentElement, map)
  }
  map.update(data, setTriggerValue)
  return () => {
    map.remove()
    maps.delete(parentElement)
  }
}

class ImageMap {
  constructor(parent) {
    this.root = parent.querySelector(".tlm")
    this.plot = this.root.querySelector(".tlm-plot")
    this.card = this.root.querySelector(".tlm-card")
    this.legend = this.root.querySelector(".tlm-legend")
    this.ofGroup = this.root.querySelector(".tlm-of-group")
    this.only = null // the one group that is not faded
    this.resets = 0
    this.drawn = 0
    this.pictures = new Map() // row -> { source, text }
    this.size = [0, 0]
    this.connectTools()
    this.receive = (event) => this.received(event.detail)
    document.addEventListener("image-map-pictures", this.receive)
    this.observer = new ResizeObserver(() => this.resized())
    this.observer.observe(this.plot)
  }

  connectTools() {
    this.tools = [...this.root.querySelectorAll("[data-tool]")]
    for (const button of this.tools) {
      button.onclick = () => {
        this.tool = this.tool === button.dataset.tool && matchMedia(TOUCH).matches ? "none" : button.dataset.tool
        this.draw()
      }
    }
    this.root.querySelector(".tlm-reset").onclick = () => {
      this.resets += 1
      this.draw()
    }
    this.ofGroup.firstElementChild.onclick = () => this.choose(this.rowsOf(this.only))
    this.plot.addEventListener("mouseleave", () => this.hideCard())
  }

  update(data, send) {
    this.send = send
    if (this.data?.content !== data.content) {
      this.x = numbers(data.x)
      this.y = numbers(data.y)
      this.pictures.clear()
    }
    if (this.data?.coloured !== data.coloured) {
      this.group = numbers(data.group)
      this.only = null
    }
    this.data = data
    this.drawLegend()
    this.draw()
  }

  rowsOf(group) {
    return Array.from(this.group.keys()).filter((row) => this.group[row] === group)
  }

  choose(rows) {
    this.send("chosen", { content: this.data.content, rows })
  }

  drawLegend() {
    const counts = new Array(this.data.groups.length).fill(0)
    for (const group of this.group) counts[group] += 1
    const entries = this.data.groups.map((group, place) => {
      const button = document.createElement("button")
      button.type = "button"
      button.setAttribute("aria-pressed", String(this.only === place))
      button.title = "Shows these alone; once more shows all"
      button.append(swatch(group), document.createTextNode(group.name), small(counts[place].toLocaleString("en")))
      button.onclick = () => {
        this.only = this.only === place ? null : place
        for (const [index, item] of [...this.legend.children].entries()) {
          item.firstElementChild.setAttribute("aria-pressed", String(this.only === index))
        }
        this.showOfGroup()
        this.draw()
      }
      const item = document.createElement("li")
      item.append(button)
      return item
    })
    this.legend.replaceChildren(...entries)
    this.showOfGroup()
  }

  showOfGroup() {
    this.ofGroup.hidden = this.only === null
    if (this.only !== null) this.ofGroup.firstElementChild.textContent = `Select all: ${this.data.groups[this.only].name}`
  }

  resized() {
    const [width, height] = [this.plot.clientWidth, this.plot.clientHeight]
    if (width !== this.size[0] || height !== this.size[1]) this.draw()
  }

  async draw() {
    if (!this.data || !this.plot.clientWidth) return
    this.tool ??= matchMedia(TOUCH).matches ? "none" : "lasso"
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool))
    this.plot.setAttribute("aria-label", this.data.description)
    try {
      const plotly = await loadPlotly(this.data.plotly_url)
      if (this.removed) return
      this.size = [this.plot.clientWidth, this.plot.clientHeight]
      await plotly.react(this.plot, [this.trace()], this.layout(), {
        displayModeBar: false,
        doubleClick: false,
        scrollZoom: this.tool === "pan",
      })
      this.listen()
      this.drawn += 1
      this.plot.dataset.updates = String(this.drawn)
    } catch (error) {
      console.error(error)
      if (this.plot.classList.contains("js-plotly-plot")) return // the last good drawing says more
      const message = document.createElement("p")
      message.className = "tlm-message"
      message.textContent = "The map could not be drawn; reload the page to try again."
      this.plot.replaceChildren(message)
    }
  }

  trace() {
    const groups = this.data.groups
    const symbols = new Set(groups.map((group) => group.symbol))
    const marked = this.only === null ? null : this.rowsOf(this.only)
    const chosen = this.data.chosen.length ? this.data.chosen : marked
    return {
      type: hasWebGL() ? "scattergl" : "scatter",
      mode: "markers",
      x: this.x,
      y: this.y,
      hoverinfo: "none",
      marker: {
        color: Array.from(this.group, (group) => groups[group].color),
        symbol: symbols.size > 1 ? Array.from(this.group, (group) => groups[group].symbol) : groups[0].symbol,
        size: this.x.length > 5000 ? 5 : this.x.length > 800 ? 7 : 9,
        opacity: 0.9,
        line: { width: 0 },
      },
      ...(chosen ? { selectedpoints: chosen } : {}),
      selected: { marker: { opacity: 1 } },
      unselected: { marker: { color: this.theme().faded, opacity: 1 } },
    }
  }

  layout() {
    const theme = this.theme()
    const axis = { visible: false, autorange: false, range: [-MARGIN * STEPS, (1 + MARGIN) * STEPS] }
    return {
      width: this.size[0],
      height: this.size[1],
      margin: { l: 0, r: 0, t: 0, b: 0 },
      paper_bgcolor: theme.background,
      plot_bgcolor: theme.background,
      xaxis: axis,
      yaxis: axis,
      dragmode: this.tool === "none" ? false : this.tool,
      hovermode: "closest",
      hoverdistance: 12,
      showlegend: false,
      uirevision: `${this.data.content}-${this.resets}`,
      selectionrevision: this.drawn, // the line drawn around images goes once they are chosen
      selections: [],
      newselection: { line: { color: theme.text, width: 2, dash: "dot" } },
      activeselection: { fillcolor: theme.text, opacity: 0.08 },
    }
  }

  theme() {
    const style = getComputedStyle(this.root)
    const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback
    const text = read("--st-text-color", "#10171f")
    return { text, background: read("--st-background-color", "#ffffff"), faded: FADED }
  }

  listen() {
    if (this.listening) return
    this.listening = true
    this.plot.on("plotly_selected", (event) => {
      if (!event?.points?.length) return
      this.choose(event.points.map((point) => point.pointIndex))
    })
    this.plot.on("plotly_click", (event) => {
      const row = event.points[0]?.pointIndex
      if (row !== undefined) this.send("opened", { content: this.data.content, row })
    })
    this.plot.on("plotly_hover", (event) => this.hover(event.points[0].pointIndex))
    this.plot.on("plotly_unhover", () => this.hideCard())
  }

  hover(row) {
    this.pointed = row
    if (this.pictures.has(row)) return this.showCard(row)
    const rows = this.near(row).filter((other) => !this.pictures.has(other))
    document.dispatchEvent(
      new CustomEvent("image-map-wanted", { detail: { map: this.data.key, content: this.data.content, rows } }),
    )
  }

  near(row) {
    const distance = (other) => (this.x[other] - this.x[row]) ** 2 + (this.y[other] - this.y[row]) ** 2
    const nearest = [row]
    let limit = Infinity
    let found = []
    for (let other = 0; other < this.x.length; other += 1) {
      if (other === row) continue
      const far = distance(other)
      if (far >= limit) continue
      found.push([far, other])
      if (found.length > 4 * AHEAD) {
        found = found.sort((a, b) => a[0] - b[0]).slice(0, AHEAD)
        limit = found.at(-1)[0]
      }
    }
    found.sort((a, b) => a[0] - b[0])
    return nearest.concat(found.slice(0, AHEAD).map(([, other]) => other))
  }

  received({ map, content, pictures }) {
    if (map !== this.data?.key || content !== this.data.content) return
    for (const [row, picture] of Object.entries(pictures)) this.pictures.set(Number(row), picture)
    if (this.pictures.has(this.pointed)) this.showCard(this.pointed)
  }

  showCard(row) {
    const { xaxis, yaxis } = this.plot._fullLayout
    const [left, top] = [xaxis.d2p(this.x[row]), yaxis.d2p(this.y[row])]
    const { source, text } = this.pictures.get(row)
    const image = this.card.firstElementChild
    if (image.getAttribute("src") !== source) image.src = source
    this.card.lastElementChild.textContent = text
    this.card.hidden = false
    const [width, height] = [this.card.offsetWidth, this.card.offsetHeight]
    this.card.style.left = `${Math.max(4, left + 14 + width > this.size[0] ? left - width - 14 : left + 14)}px`
    this.card.style.top = `${Math.min(Math.max(4, top - height / 2), Math.max(4, this.size[1] - height - 4))}px`
    this.card.dataset.row = String(row)
  }

  hideCard() {
    this.pointed = undefined
    this.card.hidden = true
  }

  remove() {
    this.removed = true
    this.observer.disconnect()
    document.removeEventListener("image-map-pictures", this.receive)
    window.Plotly?.purge(this.plot)
  }
}

// Base64 of little-endian 16-bit numbers: 20,000 images are 120 KB.
function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  return new Uint16Array(bytes.buffer)
}

function swatch({ color, symbol }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  svg.setAttribute("viewBox", "0 0 12 12")
  svg.setAttribute("aria-hidden", "true")
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
  path.setAttribute("d", SHAPES[symbol])
  path.setAttribute("fill", color)
  svg.append(path)
  return svg
}

function small(text) {
  const node = document.createElement("small")
  node.textContent = text
  return node
}

let webgl
function hasWebGL() {
  webgl ??= Boolean(document.createElement("canvas").getContext("webgl"))
  return webgl
}

// Once per browser page; the live chart shares it.
function loadPlotly(address) {
  window.transferLearningPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = new URL(address, document.baseURI).href
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => {
      window.transferLearningPlotly = undefined // so that the next update tries again
      reject(new Error(`${script.src} could not be loaded`))
    }
    document.head.append(script)
  })
  return window.transferLearningPlotly
}
