const element = (name, className, text = "") => {
  const node = document.createElement(name)
  node.className = className
  node.textContent = text
  return node
}

const newTile = () => {
  const tile = element("button", "tile")
  tile.type = "button"
  const chip = element("span", "chip")
  chip.append(element("b", "answer"), element("span", "sure"))
  tile.append(element("img", "photo"), chip)
  return tile
}

const paint = (tile, { picture, file, answer, sure, share }, opened) => {
  const find = (name) => tile.querySelector(`.${name}`)
  Object.assign(find("photo"), { src: picture, alt: file })
  find("answer").textContent = answer
  find("sure").textContent = sure
  find("chip").style.setProperty("--filled", `${share * 100}%`)
  tile.title = file
  tile.setAttribute("aria-pressed", opened)
  tile.setAttribute("aria-label", `${file}: ${answer}, ${sure}`)
}

export default function ({ data, parentElement, setTriggerValue }) {
  let grid = parentElement.querySelector(".grid")
  if (!grid) {
    grid = element("div", "grid")
    parentElement.append(grid)
  }
  grid.style.setProperty("--answer", data.color)
  while (grid.children.length < data.tiles.length) grid.append(newTile())
  while (grid.children.length > data.tiles.length) grid.lastChild.remove()
  data.tiles.forEach((tile, place) => {
    paint(grid.children[place], tile, tile.id === data.opened)
    grid.children[place].onclick = () => setTriggerValue("picked", tile.id)
  })
}
