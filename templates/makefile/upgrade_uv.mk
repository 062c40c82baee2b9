	"$(UV)" lock --upgrade
	"$(UV)" sync
	@touch $(READY)
