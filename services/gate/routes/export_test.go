package routes

// ReadObject lets tests compare the reading of a body with another parser's.
var ReadObject = readObject
