package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
)

// A service key is a prefix, 190 random bits and their checksum, as in rmc_4fXw…: one word that a double click selects.
// The checksum lets us and secret scanners reject typing errors and lookalikes without a query. It proves nothing:
// anyone can compute it.
const (
	mark         = "rmc_"
	secretLength = 32
	sumLength    = 6             // 62^6 > 2^32
	shownLength  = len(mark) + 8 // of the part that stays readable; 142 bits do not
	keyLength    = len(mark) + secretLength + sumLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newPlaintext returns a new random key.
func newPlaintext() string {
	key := append(make([]byte, 0, keyLength), mark...)
	var raw [2 * secretLength]byte
	for len(key) < len(mark)+secretLength {
		rand.Read(raw[:]) // never returns an error
		for _, b := range raw {
			// 256 is not a multiple of 62: more would favour some letters
			if n := int(b); n < 4*len(base62) && len(key) < len(mark)+secretLength {
				key = append(key, base62[n%len(base62)])
			}
		}
	}
	sum := checksum(string(key[len(mark):]))
	return string(append(key, sum[:]...))
}

// checksum returns the CRC-32 of a key's random part in base 62.
func checksum(secret string) (sum [sumLength]byte) {
	n := crc32.ChecksumIEEE([]byte(secret))
	for i := range sum {
		sum[sumLength-1-i] = base62[n%uint32(len(base62))]
		n /= uint32(len(base62))
	}
	return sum
}

// wellFormed reports whether a text has the form of a key.
func wellFormed(text string) bool {
	if len(text) != keyLength || text[:len(mark)] != mark {
		return false
	}
	sum := checksum(text[len(mark) : keyLength-sumLength])
	return text[keyLength-sumLength:] == string(sum[:])
}

// digest is the stored hash of a key. It needs neither salt nor many rounds: 2^190 keys cannot be tried.
type digest [sha256.Size]byte

func digestOf(key string) digest {
	var raw [keyLength]byte // longer texts are not keys
	return sha256.Sum256(raw[:copy(raw[:], key)])
}
