package embedded

// File returns the path of an object's file, even if it does not exist.
func (s *Server) File(object string) string { return s.disk.path(object) }
