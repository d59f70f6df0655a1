"""The central side's one web app: today the live page of gates and events; later issues add their pages here."""
