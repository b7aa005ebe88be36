package stripe

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// pdfWidth is how many characters of the body fit on a line.
const pdfWidth = 88

// pdf is a document of one page: a heading and lines of text, the long ones folded.
// Source: ISO 32000-1, 7.5 (file structure) and 9.6.2 (the fonts that every reader has)
func pdf(heading string, lines []string) []byte {
	var content bytes.Buffer
	fmt.Fprintf(&content, "BT /F2 20 Tf 56 770 Td (%s) Tj ET\nBT /F1 11 Tf 16 TL 56 730 Td\n", pdfText(heading))
	for _, line := range lines {
		for _, part := range fold(line, pdfWidth) {
			fmt.Fprintf(&content, "(%s) Tj T*\n", pdfText(part))
		}
	}
	content.WriteString("ET\n")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", content.Len(), content.Bytes()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
	}
	var file bytes.Buffer
	file.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	places := make([]int, len(objects))
	for i, object := range objects {
		places[i] = file.Len()
		fmt.Fprintf(&file, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := file.Len()
	fmt.Fprintf(&file, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, place := range places {
		fmt.Fprintf(&file, "%010d 00000 n \n", place)
	}
	fmt.Fprintf(&file, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return file.Bytes()
}

// pdfText writes a text in the encoding of the fonts; what they do not have becomes a question mark.
func pdfText(text string) string {
	var out strings.Builder
	for _, r := range text {
		b, ok := charmap.Windows1252.EncodeRune(r)
		switch {
		case r == '−':
			b = '-'
		case !ok || b < ' ':
			b = '?'
		}
		if b == '(' || b == ')' || b == '\\' {
			out.WriteByte('\\')
		}
		out.WriteByte(b)
	}
	return out.String()
}

// fold breaks a line at its spaces.
func fold(line string, width int) []string {
	var parts []string
	part := ""
	for _, word := range strings.Split(line, " ") {
		if part != "" && len([]rune(part))+1+len([]rune(word)) > width {
			parts, part = append(parts, part), ""
		}
		if part != "" {
			part += " "
		}
		part += word
	}
	return append(parts, part)
}
