"""Streamlit: a visitor's objects are in ``st.session_state``."""

import streamlit as st
from visitor import Visit

if "visit" not in st.session_state:
    st.session_state.visit = Visit()
visit = st.session_state.visit
st.text(visit.finish() if st.button("Go on") else visit.begin())
