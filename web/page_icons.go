package web

// icons are the shapes of states, drawn here: 16 units wide, stroked. They
// differ without colour. The script has the same ones.
func icons() map[string]string {
	return map[string]string{
		"done":   "M3 8.5l3.5 3.5L13 4.5",
		"good":   "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM5 8.2l2.2 2.2L11 6",
		"active": "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM8 7a1 1 0 1 0 0 2a1 1 0 0 0 0-2z",
		"warn":   "M8 2l6.5 11.5h-13zM8 6.6v3M8 11.4v.2",
		"bad":    "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM8 4.6v4M8 11v.2",
		"next":   "",
		"ended":  "M4 8h8",
	}
}
