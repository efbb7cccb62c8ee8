"""Events of an invented run, as the training writes them."""


def phase(name, first_epoch, epochs):
    return {"kind": "phase", "phase": name, "text": name, "first_epoch": first_epoch, "epochs": epochs, "steps": 10}


def batch(epoch, number, batches=10, loss=1.0, accuracy=0.5):
    return {"kind": "batch", "epoch": epoch, "batch": number, "batches": batches, "loss": loss, "accuracy": accuracy}


def epoch(number, val_loss=1.0, val_accuracy=0.5, best=False, **values):
    return {
        "kind": "epoch",
        "phase": "head",
        "epoch": number,
        "epochs": 20,
        "loss": 0.9,
        "accuracy": 0.6,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "learning_rate": 0.001,
        "seconds": 1.5,
        "best": best,
        **values,
    }


def end():
    return {"kind": "end", "status": "done", "text": "Done."}


def two_phase_run(head=4, fine_tune=3, batches=10):
    events = [phase("head", 1, head)]
    for number in range(1, head + fine_tune + 1):
        if number == head + 1:
            events.append(phase("fine_tune", head + 1, fine_tune))
        events += [batch(number, place, batches, loss=2 / number) for place in range(1, batches + 1)]
        events.append(epoch(number, val_loss=2 / number, val_accuracy=1 - 0.5 / number, best=number != 6))
    return [*events, end()]
