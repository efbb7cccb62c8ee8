// Brings the pictures that the map asks for; draws nothing itself. One request is under way at a time: what is asked
// for meanwhile waits, and only the last of it, as the pointer has moved on.

const couriers = new WeakMap() // element -> Courier; Streamlit calls the function below again for every update

export default function ({ data, parentElement, setTriggerValue }) {
  let courier = couriers.get(parentElement)
  if (!courier) {
    courier = new Courier()
    couriers.set(parentElement, courier)
  }
  courier.update(data, setTriggerValue)
  return () => {
    courier.remove()
    couriers.delete(parentElement)
  }
}

const PATIENCE = 3000 // ms; after that an answer is not waited for any more

class Courier {
  constructor() {
    this.asked = (event) => this.want(event.detail)
    document.addEventListener("image-map-wanted", this.asked)
  }

  update(data, send) {
    this.map = data.map
    this.send = send
    if (data.answer !== this.answer) {
      this.answer = data.answer
      this.since = 0
      document.dispatchEvent(new CustomEvent("image-map-pictures", { detail: data }))
    }
    this.ask()
  }

  want({ map, content, rows }) {
    if (map !== this.map) return
    this.waiting = { content, rows, answer: `${Date.now()}-${rows[0]}` }
    this.ask()
  }

  ask() {
    if (!this.waiting || (this.since && Date.now() - this.since < PATIENCE)) return
    this.since = Date.now()
    this.send("wanted", this.waiting)
    this.waiting = undefined
  }

  remove() {
    document.removeEventListener("image-map-wanted", this.asked)
  }
}
