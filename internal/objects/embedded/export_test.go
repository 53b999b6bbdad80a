package embedded

// File is where an object's file is, or would be.
func (s *Server) File(object string) string { return s.disk.path(object) }
