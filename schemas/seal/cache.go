package seal

import (
	"container/list"
	"sync"
)

// cacheKey is a sessionID without pointers, so that a lookup allocates nothing.
type cacheKey struct {
	generation uint16
	content    ContentType
	length     uint8
	collector  [maxID]byte
	context    Context
}

func keyOf(f *frame) cacheKey {
	k := cacheKey{generation: f.generation, content: f.content, length: uint8(len(f.collector)), context: f.context}
	copy(k.collector[:], f.collector)
	return k
}

// sessionCache keeps the sessions that were used last.
type sessionCache struct {
	mu     sync.Mutex
	bound  int
	byKey  map[cacheKey]*list.Element
	recent *list.List // of *cacheEntry, the last used in front
}

type cacheEntry struct {
	key     cacheKey
	session *session
}

func newSessionCache(bound int) *sessionCache {
	return &sessionCache{bound: bound, byKey: make(map[cacheKey]*list.Element), recent: list.New()}
}

func (c *sessionCache) get(k cacheKey) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[k]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cacheEntry).session
}

// add keeps s, unless another message of the session was first.
func (c *sessionCache) add(k cacheKey, s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok {
		return
	}
	c.byKey[k] = c.recent.PushFront(&cacheEntry{k, s})
	for len(c.byKey) > c.bound {
		last := c.recent.Back()
		c.recent.Remove(last)
		delete(c.byKey, last.Value.(*cacheEntry).key)
	}
}
