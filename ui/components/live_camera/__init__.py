"""The browser's camera, classified as it looks: a few small pictures a second, each answered before the next is sent.

``live_camera.js`` shrinks what the camera sees to a small JPEG and hands it over as the value of the component; the
fragment around it asks the model and hands the answer back. Nothing is stored.
"""

from ui.components.live_camera.component import live_camera

__all__ = ["live_camera"]
