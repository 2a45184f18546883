// Asks Go's golang.org/x/mod/sumdb/note and tlog what they make of our log, and has them write one
// of their own. JSON in, JSON out. Their tiles have C2SP's content; only the paths differ.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type task struct {
	Ours        string
	Theirs      string
	LogKey      string `json:"log_key"`
	Index       int64
	Entry       string
	Inclusion   []string
	Old         int64
	OldRoot     string `json:"old_root"`
	Consistency []string
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	must(err)
	return data
}

func hashOf(data []byte) (hash tlog.Hash) {
	if copy(hash[:], data) != tlog.HashSize || len(data) != tlog.HashSize {
		must(fmt.Errorf("a hash of %d bytes", len(data)))
	}
	return hash
}

func hashes(texts []string) (found []tlog.Hash) {
	for _, text := range texts {
		found = append(found, hashOf(unhex(text)))
	}
	return found
}

func texts(found []tlog.Hash) []string {
	said := []string{}
	for _, hash := range found {
		said = append(said, hex.EncodeToString(hash[:]))
	}
	return said
}

// folder reads and writes tiles of height 8 in a folder as C2SP tlog-tiles names them.
type folder string

func (folder) Height() int                         { return 8 }
func (folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (f folder) path(tile tlog.Tile) string {
	return filepath.Join(string(f), strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
}

func (f folder) ReadTiles(tiles []tlog.Tile) (read [][]byte, err error) {
	for _, tile := range tiles {
		data, err := os.ReadFile(f.path(tile))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func write(path string, data []byte) {
	must(os.MkdirAll(filepath.Dir(path), 0o755))
	must(os.WriteFile(path, data, 0o644))
}

// stored is every hash of a tree, in the order that the package numbers them.
type stored []tlog.Hash

func (s stored) ReadHashes(places []int64) (found []tlog.Hash, err error) {
	for _, place := range places {
		found = append(found, s[place])
	}
	return found, nil
}

func main() {
	var asked task
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	verifier, err := note.NewVerifier(asked.LogKey)
	must(err)
	data, err := os.ReadFile(filepath.Join(asked.Ours, "checkpoint"))
	must(err)
	opened, err := note.Open(data, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)

	leaf := tlog.RecordHash(unhex(asked.Entry))
	must(tlog.CheckRecord(hashes(asked.Inclusion), size, root, asked.Index, leaf))
	oldRoot := hashOf(unhex(asked.OldRoot))
	must(tlog.CheckTree(hashes(asked.Consistency), size, root, asked.Old, oldRoot))
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, folder(asked.Ours))
	inclusion, err := tlog.ProveRecord(size, asked.Index, reader)
	must(err)
	consistency, err := tlog.ProveTree(size, asked.Old, reader)
	must(err)

	// And the other way round.
	const count = 600
	theirs := folder(asked.Theirs)
	var all stored
	bundles := map[int64][]byte{}
	for number := int64(0); number < count; number++ {
		entry := []byte(fmt.Sprintf("theirs %d", number))
		more, err := tlog.StoredHashes(number, entry, all)
		must(err)
		all = append(all, more...)
		length := binary.BigEndian.AppendUint16(bundles[number/256], uint16(len(entry)))
		bundles[number/256] = append(length, entry...)
	}
	for _, tile := range tlog.NewTiles(8, 0, count) {
		data, err := tlog.ReadTileData(tile, all)
		must(err)
		write(theirs.path(tile), data)
	}
	for place, data := range bundles {
		name := fmt.Sprintf("tile/entries/%03d", place)
		if place == count/256 {
			name += fmt.Sprintf(".p/%d", count%256)
		}
		write(filepath.Join(asked.Theirs, name), data)
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, "peer.example/log")
	must(err)
	signer, err := note.NewSigner(skey)
	must(err)
	made, err := tlog.TreeHash(count, all)
	must(err)
	text := fmt.Sprintf("peer.example/log\n%d\n%s\n", count, base64.StdEncoding.EncodeToString(made[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	write(filepath.Join(asked.Theirs, "checkpoint"), signed)
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"size":        size,
		"root":        hex.EncodeToString(root[:]),
		"inclusion":   texts(inclusion),
		"consistency": texts(consistency),
		"unverified":  len(opened.UnverifiedSigs),
		"log_key":     vkey,
	}))
}
