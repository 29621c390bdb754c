package cardslot

import "io/fs"

// OpenJournalIn opens a journal whose file is in memory.
func OpenJournalIn(file *[]byte) (*FileJournal, error) {
	j := &FileJournal{path: "memory", write: func(_ string, data []byte, _ fs.FileMode) error {
		*file = data
		return nil
	}}
	var err error
	if *file != nil {
		j.records, err = parseJournal(*file)
	}
	return j, err
}

// SetWrite replaces how j writes its file.
func (j *FileJournal) SetWrite(write func(path string, data []byte, perm fs.FileMode) error) {
	j.write = write
}
