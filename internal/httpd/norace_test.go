//go:build !race

package httpd

const raceFactor = 1
