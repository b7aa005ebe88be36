package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
)

// A service key is the mark, 190 random bits and their checksum, as in rmc_4fXw…: one word that a double click selects.
// The checksum tells typing errors, and what only looks like a key to those who scan texts for secrets, apart from keys
// without asking the database. It proves nothing: anybody can compute it.
const (
	mark         = "rmc_"
	secretLength = 32
	sumLength    = 6             // 62^6 > 2^32
	shownLength  = len(mark) + 8 // what stays readable; 142 bits do not
	keyLength    = len(mark) + secretLength + sumLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newPlaintext makes a key that nobody guesses.
func newPlaintext() string {
	key := append(make([]byte, 0, keyLength), mark...)
	var raw [2 * secretLength]byte
	for len(key) < len(mark)+secretLength {
		rand.Read(raw[:]) // never fails: the program would have ended
		for _, b := range raw {
			if n := int(b); n < 4*len(base62) && len(key) < len(mark)+secretLength { // a remainder of 256 would prefer some letters
				key = append(key, base62[n%len(base62)])
			}
		}
	}
	sum := checksum(string(key[len(mark):]))
	return string(append(key, sum[:]...))
}

// checksum is the CRC-32 of a key's random part.
func checksum(secret string) (sum [sumLength]byte) {
	n := crc32.ChecksumIEEE([]byte(secret))
	for i := range sum {
		sum[sumLength-1-i] = base62[n%uint32(len(base62))]
		n /= uint32(len(base62))
	}
	return sum
}

// wellFormed reports whether a text can be a key at all.
func wellFormed(text string) bool {
	if len(text) != keyLength || text[:len(mark)] != mark {
		return false
	}
	sum := checksum(text[len(mark) : keyLength-sumLength])
	return text[keyLength-sumLength:] == string(sum[:])
}

// digest is what the table has in a key's place. It needs neither salt nor many rounds: nobody can try 2^190 keys.
type digest [sha256.Size]byte

func digestOf(key string) digest {
	var raw [keyLength]byte // longer texts are no keys
	return sha256.Sum256(raw[:copy(raw[:], key)])
}
