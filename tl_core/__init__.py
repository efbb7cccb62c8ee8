"""Transfer learning for image classification: everything the dashboard does, without the dashboard.

Imports go downwards only (``tests/test_architecture.py`` holds this):

===== =============================================================================== =======================
layer packages                                                                        may import
===== =============================================================================== =======================
0     ``errors``, ``files``, ``workspace``, ``config``, ``backbones.registry``        the standard library
1     ``data``, ``runs``, ``jobs``, ``figures``, ``hardware``, ``plan``, ``priority`` NumPy, Pillow, Plotly
2     ``backbones``, ``models``, ``engine``, ``training``, ``evaluation``,            Keras, TensorFlow,
      ``prediction``, ``device``                                                      OpenVINO, scikit-learn
3     ``command_line``, ``__main__``                                                  all of the above
===== =============================================================================== =======================

Nothing here imports Streamlit, and nothing in layers 0 and 1 imports TensorFlow.
"""
